import { stripVTControlCharacters } from "node:util";

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
}

/** Lines of a table with a header: columns two spaces apart, the last one not padded. Cells may carry colour. */
export function tableLines(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map((column, index) =>
    rows.reduce((width, row) => Math.max(width, widthOf(row[index] ?? "")), widthOf(column.title)),
  );
  return [columns.map(({ title }) => title), ...rows].map((row) =>
    columns
      .map(({ align }, index) => {
        const cell = row[index] ?? "";
        const blank = " ".repeat((widths[index] ?? 0) - widthOf(cell));
        return align === "right" ? blank + cell : cell + blank;
      })
      .join("  ")
      .trimEnd(),
  );
}

/** "name   value" lines, the names aligned. */
export function factLines(facts: readonly (readonly [name: string, value: string])[]): string[] {
  const width = facts.reduce((most, [name]) => Math.max(most, widthOf(name)), 0);
  return facts.map(([name, value]) => `${name}${" ".repeat(width - widthOf(name))}  ${value}`);
}

function widthOf(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}
