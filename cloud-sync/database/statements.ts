const TOKEN =
  /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$([A-Za-z_]*)\$[\s\S]*?\$\1\$|;|[^-/'"$;]+|[\s\S]/g;

/** The statements of a plain SQL file, without the semicolons between them; strings, quoted names, $$-bodies and comments are kept whole. */
export function statementsOf(text: string): string[] {
  const statements: string[] = [];
  let current = "";
  let hasCode = false;
  const end = (): void => {
    if (hasCode) statements.push(current.trim());
    current = "";
    hasCode = false;
  };
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === ";") {
      end();
      continue;
    }
    const isComment = token.startsWith("--") || token.startsWith("/*");
    if (!isComment && token.trim() !== "") hasCode = true;
    if (!isComment || hasCode) current += token;
  }
  end();
  return statements;
}
