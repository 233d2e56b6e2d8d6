// A kiosk browser started with LANG=C or POSIX reports a language such as "en-US@posix", which Intl refuses; the chart
// asks for it while it loads, and the whole page would stay empty. Must be imported before everything else.
try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en", configurable: true });
}
