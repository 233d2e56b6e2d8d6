export type Variables = ReadonlyMap<string, string>;

/** Replaces ${name}; names without a value are returned and stay in the text. */
export function substitute(text: string, variables: Variables): { text: string; missing: readonly string[] } {
  if (!text.includes("${")) return { text, missing: [] };
  const missing: string[] = [];
  const replaced = text.replace(/\$\{([^}]*)\}/g, (whole, name: string) => {
    const value = variables.get(name.trim());
    if (value === undefined) missing.push(name.trim());
    return value ?? whole;
  });
  return { text: replaced, missing };
}
