import type { Pages } from "../data/use-pages.ts";
import { Problem } from "./problem.tsx";

/** What stands below a list: that it is empty, loading or could not be read, and the way on. */
export function More<Row>({ pages, empty }: { pages: Pages<Row>; empty: string }) {
  const { rows, isLoading, error, hasMore, isFull, more } = pages;
  return (
    <div class="more">
      {error !== undefined && <Problem error={error} />}
      {rows.length === 0 && error === undefined && <p class="empty">{isLoading ? "Loading …" : empty}</p>}
      {hasMore && (
        <button type="button" class="plain" disabled={isLoading} onClick={more}>
          {isLoading ? "Loading …" : "Show more"}
        </button>
      )}
      {isFull && <p class="muted">More than this page holds: narrow it by the filters above.</p>}
    </div>
  );
}
