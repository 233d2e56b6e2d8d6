import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { get, type Param } from "./api.ts";

/** Rows that a page holds; more are reached by filters. */
const ROWS_MAX = 2_000;

export interface Pages<Row> {
  readonly rows: readonly Row[];
  readonly isLoading: boolean;
  readonly error: unknown;
  /** Whether there are more, and the page may hold them. */
  readonly hasMore: boolean;
  readonly isFull: boolean;
  readonly more: () => void;
  readonly reload: () => void;
}

interface Answer<Row> {
  readonly rows: readonly Row[];
  readonly nextCursor: string | null;
}

/**
 * Reads a list page by page behind a cursor. The first page is read again every so often while it is the only one: somebody who has gone
 * further is not pulled away.
 * @param keyOf what makes a row; one that comes twice is kept once
 */
export function usePages<Row>(
  path: string,
  params: Readonly<Record<string, Param>>,
  keyOf: (row: Row) => string,
  everyMs: number | null = null,
): Pages<Row> {
  const key = JSON.stringify([path, params]);
  const [state, setState] = useState({
    key,
    rows: [] as readonly Row[],
    cursor: null as string | null,
    pages: 0,
    isLoading: true,
    error: undefined as unknown,
  });
  const [round, setRound] = useState(0);
  const current = useRef(state);
  current.current = state;
  const keys = useRef(keyOf);
  keys.current = keyOf;

  useEffect(() => {
    const [from, query] = JSON.parse(key) as [string, Record<string, Param>];
    const gone = new AbortController();
    let timer: number | undefined;
    const read = async (): Promise<void> => {
      try {
        if (current.current.key !== key || current.current.pages <= 1) {
          const { rows, nextCursor } = await get<Answer<Row>>(from, query, gone.signal);
          if (gone.signal.aborted) return;
          setState((before) =>
            before.key === key && before.pages > 1
              ? before
              : { key, rows, cursor: nextCursor, pages: 1, isLoading: false, error: undefined },
          );
        }
      } catch (error) {
        if (!gone.signal.aborted) setState((before) => ({ ...before, key, isLoading: false, error }));
      }
      if (everyMs !== null && !gone.signal.aborted)
        timer = window.setTimeout(read, document.hidden ? everyMs * 10 : everyMs);
    };
    setState((before) =>
      before.key === key && round === 0
        ? before
        : {
            key,
            rows: before.key === key ? before.rows : [],
            cursor: null,
            pages: 0,
            isLoading: true,
            error: undefined,
          },
    );
    void read();
    return () => {
      gone.abort();
      window.clearTimeout(timer);
    };
  }, [key, everyMs, round]);

  const more = useCallback(() => {
    const { cursor, isLoading } = current.current;
    if (cursor === null || isLoading) return;
    const [from, query] = JSON.parse(key) as [string, Record<string, Param>];
    setState((before) => ({ ...before, isLoading: true }));
    get<Answer<Row>>(from, { ...query, cursor }).then(
      ({ rows, nextCursor }) =>
        setState((before) => {
          if (before.key !== key || before.cursor !== cursor) return before;
          const known = new Set(before.rows.map((row) => keys.current(row)));
          const fresh = rows.filter((row) => !known.has(keys.current(row)));
          return {
            ...before,
            rows: [...before.rows, ...fresh],
            cursor: nextCursor,
            pages: before.pages + 1,
            isLoading: false,
            error: undefined,
          };
        }),
      (error: unknown) => setState((before) => ({ ...before, isLoading: false, error })),
    );
  }, [key]);
  const reload = useCallback(() => setRound((count) => count + 1), []);
  const rows = state.key === key ? state.rows : [];
  const isFull = rows.length >= ROWS_MAX;
  return {
    rows,
    isLoading: state.key !== key || state.isLoading,
    error: state.error,
    hasMore: state.key === key && state.cursor !== null && !isFull,
    isFull: state.cursor !== null && isFull,
    more,
    reload,
  };
}
