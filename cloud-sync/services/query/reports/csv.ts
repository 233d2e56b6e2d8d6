/**
 * A table as RFC 4180 writes it: CRLF, quotes where needed. A text that a spreadsheet would take for a formula gets an apostrophe before
 * it (OWASP, CSV injection); numbers are written as they are.
 */
export function csvOf(header: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  return [header, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function cell(value: string | number | null): string {
  if (value === null) return "";
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "";
  // Full-width signs are formulas to some spreadsheets of East Asia.
  const safe = /^\s*[=+\-@\t\r＝＋－＠]/u.test(value) || /^[\t\r\n]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
