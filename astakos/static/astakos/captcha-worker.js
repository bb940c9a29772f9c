// Finds the number whose digest with the challenge begins with so many zero bits.
function hasZeros(digest, bits) {
  const view = new DataView(digest);
  return bits <= 32 && view.getUint32(0) >>> (32 - bits) === 0;
}

self.addEventListener("message", async ({ data: { challenge, bits } }) => {
  const encoder = new TextEncoder();
  for (let number = 0; ; number += 1) {
    const digest = await crypto.subtle.digest("SHA-256", encoder.encode(`${challenge}.${number}`));
    if (hasZeros(digest, bits)) {
      self.postMessage(String(number));
      return;
    }
  }
});
