// Runs before the first paint: styles that only make sense with scripts hang on this class.
document.documentElement.classList.add("js");
