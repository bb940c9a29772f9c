"""A tiny bootable disk image for tests: Debian's cloud kernel, busybox, and an SSH server.

The layout is that of a classic Linux image: an MBR, GRUB in the gap after it, and one ext4 partition with
``/etc/hostname``, ``/etc/shadow``, ``/etc/network/interfaces`` and ``/root``, so that everything an OS
provider injects can be seen from inside the running guest. Built without root and without mounting.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import textwrap
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.lab.instance import LabError, Unavailable, cache_directory, file_lock

_MIB = 1024 * 1024
_SECTOR = 512
_PARTITION_START = 1 * _MIB
_KEEP_SECONDS = 7 * 86400
IMAGE_SIZE = 60 * _MIB
HOSTNAME = "lab-guest"
#: The root password of an image into which nothing was injected.
PASSWORD = "lab"

_INITRD_MODULES = ("virtio_pci", "virtio_blk", "virtio_net")
_GUEST_MODULES = ("evdev", "button")
_GRUB_MODULES = ("biosdisk", "part_msdos", "ext2", "linux", "normal", "serial", "terminal", "echo", "minicmd")

#: No self-tests, no clearing and shuffling of memory, nothing measured: software emulation is slow.
KERNEL_ARGUMENTS = (
    "quiet net.ifnames=0 nokaslr mitigations=off cryptomgr.notests noreplace-smp init_on_alloc=0"
    " page_alloc.shuffle=0 no_timer_check tsc=reliable apparmor=0 audit=0 rodata=off"
)

_GRUB_CONFIGURATION = """\
insmod part_msdos
insmod ext2
set root=(hd0,msdos1)
linux /boot/vmlinuz root=/dev/vda1 console=ttyS0 console=tty0 @KERNEL_ARGUMENTS@
initrd /boot/initrd
boot
"""

_INITRD_INIT = """\
#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /new
/bin/busybox mount -t devtmpfs dev /dev
for module in $(/bin/busybox cat /modules/order); do /bin/busybox insmod /modules/$module.ko; done
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    [ -b /dev/vda1 ] && break
    /bin/busybox sleep 0.3
done
/bin/busybox mount -t ext4 /dev/vda1 /new || exec /bin/busybox sh
/bin/busybox mount --move /dev /new/dev
exec /bin/busybox switch_root /new /sbin/init
"""

_FILES = {
    "etc/hostname": f"{HOSTNAME}\n",
    "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {HOSTNAME}\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n",
    "etc/group": "root:x:0:\nuser:x:1000:\n",
    "etc/shells": "/bin/sh\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
    "etc/os-release": 'ID=lab\nNAME="Synnefo lab guest"\nVERSION_ID=1\n',
    "etc/fstab": "/dev/vda1 / ext4 defaults 0 1\n",
    "etc/network/interfaces": "auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet dhcp\n",
    "etc/inittab": """\
        ::sysinit:/etc/init.d/rcS
        tty1::respawn:/sbin/getty -L 38400 tty1 linux
        ttyS0::respawn:/sbin/serial-getty
        ::ctrlaltdel:/sbin/poweroff
        ::shutdown:/etc/init.d/rcK
        """,
    "etc/init.d/rcS": """\
        #!/bin/sh
        mount -t proc proc /proc
        mount -t sysfs sysfs /sys
        mkdir -p /dev/pts /dev/shm
        mount -t devpts devpts /dev/pts
        mount -o remount,rw /
        mount -t tmpfs tmpfs /run
        mount -t tmpfs tmpfs /tmp
        for module in $(cat /lib/modules/lab/order); do insmod /lib/modules/lab/$module.ko 2>/dev/null; done
        hostname -F /etc/hostname
        /sbin/acpi-poweroff &
        mkdir -p /run/network /etc/dropbear
        ifup -a > /run/ifup.log 2>&1 &
        # -R makes the host keys on first use; -s would forbid passwords.
        dropbear -R -p 22
        echo "$(hostname) is up" > /dev/console
        """,
    "etc/init.d/rcK": """\
        #!/bin/sh
        sync
        umount -a -r
        """,
    "sbin/serial-getty": """\
        #!/bin/sh
        # The device is there even if the machine has no port; then nobody must try again and again.
        stty -F /dev/ttyS0 > /dev/null 2>&1 || exec sleep 1000000
        exec getty -L 115200 ttyS0 vt100
        """,
    "sbin/acpi-poweroff": """\
        #!/bin/sh
        # The power button is an input device; any event of it means: shut down.
        for device in /sys/class/input/event*; do
            [ "$(cat $device/device/name 2>/dev/null)" = "Power Button" ] || continue
            head -c 24 /dev/input/${device##*/} > /dev/null && exec poweroff
        done
        """,
    "etc/udhcpc/default.script": """\
        #!/bin/sh
        [ "$1" = bound ] || [ "$1" = renew ] || exit 0
        ip -4 address flush dev $interface
        ip address add $ip/${mask:-24} dev $interface
        [ -z "$router" ] || ip route add default via $router dev $interface
        """,
}


def _packages() -> Path:
    root = cache_directory() / "guest-packages" / "root"
    if not (root / "usr" / "bin" / "grub-mkimage").exists() or not list(
        root.glob("boot/vmlinuz-*-cloud-amd64")
    ):
        raise Unavailable("the test guest's kernel and boot loader are not downloaded")
    return root


def _tool(name: str) -> str:
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if found is None:
        raise Unavailable(f"{name} is not installed")
    return found


def _run(*command: str | Path, input: bytes | None = None, directory: Path | None = None) -> bytes:
    words = [str(word) for word in command]
    result = subprocess.run(words, check=False, input=input, capture_output=True, cwd=directory)
    if result.returncode != 0:
        raise LabError(f"{' '.join(words)}: {result.stderr.decode(errors='replace')}")
    return result.stdout


def _libraries(program: Path) -> Iterator[Path]:
    """The shared libraries a program needs, with the dynamic loader."""
    for line in _run("ldd", program).decode().splitlines():
        for word in line.split():
            if word.startswith("/"):
                yield Path(word)


def _install(source: Path, root: Path, target: str) -> None:
    path = root / target.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, path)
    path.chmod(0o755)


def _load_order(packages: Path, names: Sequence[str]) -> list[Path]:
    """The files of these modules and of what they depend on, in the order in which they can be loaded."""
    files = {path.stem: path for path in packages.glob("lib/modules/*/kernel/**/*.ko")}
    order: list[Path] = []

    def add(name: str) -> None:
        path = files.get(name.replace("-", "_")) or files.get(name.replace("_", "-"))
        if path is None or path in order:
            return
        depends = _run(_tool("modinfo"), "-F", "depends", path).decode().strip()
        for dependency in filter(None, depends.split(",")):
            add(dependency)
        order.append(path)

    for name in names:
        add(name)
    return order


def _kernel_modules(packages: Path, names: Sequence[str], target: Path) -> None:
    """Copy modules into ``target``, with a file ``order`` that says how to load them."""
    target.mkdir(parents=True)
    order = _load_order(packages, names)
    for path in order:
        (target / path.name).write_bytes(_unsigned(path.read_bytes()))
    (target / "order").write_text(" ".join(path.stem for path in order) + "\n")


def _unsigned(module: bytes) -> bytes:
    """A kernel module without its signature, whose check costs more than the module."""
    magic = b"~Module signature appended~\n"
    if not module.endswith(magic):
        return module
    end = len(module) - len(magic)
    size = int.from_bytes(module[end - 4 : end], "big")
    return module[: end - 12 - size]


def _archive(directory: Path) -> bytes:
    names = "\n".join(str(path.relative_to(directory)) for path in sorted(directory.rglob("*")))
    return _run("cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0", input=names.encode(), directory=directory)


def _initrd(packages: Path, work: Path) -> bytes:
    tree = work / "initrd"
    for name in ("bin", "dev", "proc", "sys", "new"):
        (tree / name).mkdir(parents=True)
    _install(Path(_tool("busybox")), tree, "bin/busybox")
    _kernel_modules(packages, _INITRD_MODULES, tree / "modules")
    (tree / "init").write_text(_INITRD_INIT)
    (tree / "init").chmod(0o755)
    return _archive(tree)


def _root_tree(packages: Path, work: Path) -> Path:
    tree = work / "root"
    directories = (
        "bin sbin usr/bin usr/sbin lib lib64 etc/init.d etc/dropbear dev proc sys run tmp root home/user "
        "boot mnt var var/log etc/network/if-pre-up.d etc/network/if-up.d"
    )
    for name in directories.split():
        (tree / name).mkdir(parents=True, exist_ok=True)
    # What ifup remembers must not outlive a boot.
    (tree / "var/run").symlink_to("/run")
    busybox = Path(_tool("busybox"))
    _install(busybox, tree, "bin/busybox")
    for applet in _run(busybox, "--list-full").decode().split():
        path = tree / applet
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.symlink_to("/bin/busybox")
    for applet in ("sbin/init", "bin/sh", "bin/login", "sbin/getty", "sbin/ifup"):
        if not (tree / applet).is_symlink():
            (tree / applet).symlink_to("/bin/busybox")
    for name in ("dropbear", "dropbearkey"):
        program = Path(_tool(name))
        _install(program, tree, f"usr/sbin/{name}")
        for library in _libraries(program):
            _install(library, tree, str(library))
    _kernel_modules(packages, _GUEST_MODULES, tree / "lib" / "modules" / "lab")
    for target, text in _FILES.items():
        (tree / target).parent.mkdir(parents=True, exist_ok=True)
        (tree / target).write_text(textwrap.dedent(text))
        if text.lstrip().startswith("#!"):
            (tree / target).chmod(0o755)
    hashed = _run(busybox, "mkpasswd", "-m", "sha512", PASSWORD).decode().strip()
    (tree / "etc/shadow").write_text(f"root:{hashed}:20000:0:99999:7:::\nuser:!:20000:0:99999:7:::\n")
    (tree / "etc/shadow").chmod(0o640)
    (tree / "root").chmod(0o700)
    kernel = next(iter(packages.glob("boot/vmlinuz-*-cloud-amd64")))
    shutil.copy(kernel, tree / "boot" / "vmlinuz")
    (tree / "boot" / "initrd").write_bytes(_initrd(packages, work))
    return tree


def _boot_loader(packages: Path, work: Path) -> tuple[bytes, bytes]:
    """GRUB's first sector and the image that follows it in the gap before the partition."""
    images = packages / "usr" / "lib" / "grub" / "i386-pc"
    configuration = work / "grub.cfg"
    configuration.write_text(_GRUB_CONFIGURATION.replace("@KERNEL_ARGUMENTS@", KERNEL_ARGUMENTS))
    core = work / "core.img"
    _run(
        packages / "usr/bin/grub-mkimage", "-O", "i386-pc", "-d", images, "-p", "(hd0,msdos1)/boot/grub",
        "-c", configuration, "-o", core, *_GRUB_MODULES,
    )  # fmt: skip
    return (images / "boot.img").read_bytes()[:440], core.read_bytes()


def _partition_entry(start: int, size: int) -> bytes:
    """One active Linux partition; cylinder addresses say "too big for them", as all tools write today."""
    chs = b"\xfe\xff\xff"
    sectors = (start // _SECTOR).to_bytes(4, "little") + (size // _SECTOR).to_bytes(4, "little")
    return b"\x80" + chs + b"\x83" + chs + sectors


def _assemble(target: Path, *, boot: bytes, core: bytes, file_system: Path) -> None:
    if _SECTOR + len(core) > _PARTITION_START:
        raise LabError("GRUB does not fit before the partition")
    size = file_system.stat().st_size
    with target.open("wb") as image:
        image.write(boot.ljust(440, b"\0") + b"SLAB" + b"\0\0")
        image.write(_partition_entry(_PARTITION_START, size) + bytes(48) + b"\x55\xaa")
        image.write(core)
        image.seek(_PARTITION_START)
        with file_system.open("rb") as source:
            shutil.copyfileobj(source, image)


def _build(packages: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="synnefo-guest-") as name:
        work = Path(name)
        tree = _root_tree(packages, work)
        file_system = work / "root.ext4"
        with file_system.open("wb") as handle:
            handle.truncate(IMAGE_SIZE - _PARTITION_START)
        # GRUB 2.06 cannot read file systems with these two features.
        options = ["-O", "^metadata_csum_seed,^orphan_file", "-E", "root_owner=0:0", "-L", "labroot"]
        _run(_tool("mke2fs"), "-q", "-F", "-t", "ext4", "-m", "0", *options, "-d", tree, file_system)
        boot, core = _boot_loader(packages, work)
        finished = work / "guest.raw"
        _assemble(finished, boot=boot, core=core, file_system=file_system)
        shutil.copy(finished, target.with_suffix(".new"))
        target.with_suffix(".new").rename(target)


def _content_hash(packages: Path) -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    kernel = next(iter(packages.glob("boot/vmlinuz-*-cloud-amd64")))
    for path in (kernel, Path(_tool("busybox")), Path(_tool("dropbear"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def guest_image() -> Path:
    """The raw disk image, built when its ingredients changed; Unavailable when they are not there."""
    packages = _packages()
    target = cache_directory() / f"guest-{_content_hash(packages)}.raw"
    with file_lock(cache_directory() / "guest.lock"):
        if not target.exists():
            _forget_old_images()
            _build(packages, target)
    return target


def kernel_files() -> tuple[Path, Path]:
    """The kernel and the initial file system of the image, for a machine that is given both.

    The kernel is unpacked where that is possible: that work is far less here than inside.
    """
    image = guest_image()
    kernel, initrd = image.with_suffix(".vmlinux"), image.with_suffix(".initrd")
    with file_lock(cache_directory() / "guest.lock"):
        if not initrd.exists():
            packages = _packages()
            _write(kernel, _unpacked(next(iter(packages.glob("boot/vmlinuz-*-cloud-amd64"))).read_bytes()))
            with tempfile.TemporaryDirectory(prefix="synnefo-guest-") as name:
                _write(initrd, _initrd(packages, Path(name)))
    return kernel, initrd


def _write(target: Path, content: bytes) -> None:
    target.with_suffix(".new").write_bytes(content)
    target.with_suffix(".new").rename(target)


def _unpacked(kernel: bytes) -> bytes:
    """The program inside a compressed kernel image, or the image as it is."""
    start = kernel.find(b"\x02\x21\x4c\x18")
    if start < 0 or shutil.which("lz4") is None:
        return kernel
    # What follows the compressed part is not lz4's, which says so, but only after it has written everything.
    result = subprocess.run(["lz4", "-dc"], check=False, input=kernel[start:], capture_output=True)
    return result.stdout if result.stdout.startswith(b"\x7fELF") else kernel


def _forget_old_images() -> None:
    """Remove images that nobody used for a week; another checkout may use a younger one right now."""
    for image in cache_directory().glob("guest-*.*"):
        if time.time() - max(image.stat().st_atime, image.stat().st_mtime) > _KEEP_SECONDS:
            image.unlink()


def boot_command(image: Path, *arguments: str) -> Sequence[str]:
    """QEMU command line that boots an image alone (a scratch copy: nothing is written to it)."""
    return [
        _tool("qemu-system-x86_64"), "-machine", "pc,accel=tcg", "-m", "128", "-display", "none",
        "-drive", f"file={image},format=raw,if=virtio,snapshot=on", "-serial", "stdio", *arguments,
    ]  # fmt: skip
