import type { Sql } from "../database/database.ts";
import type { Unreadable } from "./feed/document-cache.ts";
import { plainText } from "./sql/literals.ts";

const REASON_CHARACTERS_MAX = 1_000;

/** Writes down what a projection passed over. @returns those that were not known */
export async function setAside(sql: Sql, projection: string, found: readonly Unreadable[]): Promise<Unreadable[]> {
  const fresh: Unreadable[] = [];
  for (const each of found) {
    const { container, document, reason } = each;
    const { rowCount } = await sql.query(
      `INSERT INTO app.unreadable_document (projection, container, stream, part, id, etag, reason)
       VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
      [
        projection,
        container,
        ...[document.partition.stream, document.partition.part, document.id, document.etag].map(plainText),
        plainText(reason).slice(0, REASON_CHARACTERS_MAX),
      ],
    );
    if (rowCount !== 0) fresh.push(each);
  }
  return fresh;
}
