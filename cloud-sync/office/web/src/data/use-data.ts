import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { get, type Param } from "./api.ts";

export interface Loaded<T> {
  readonly data: T | undefined;
  readonly error: unknown;
  readonly isLoading: boolean;
  readonly reload: () => void;
}

/**
 * Reads an address, and again every so often when `everyMs` is given; a page that nobody looks at asks less. What was read last stays
 * while something new is on its way or can't be had.
 * @param path null: nothing is read
 */
export function useData<T>(
  path: string | null,
  params: Readonly<Record<string, Param>> = {},
  everyMs: number | null = null,
): Loaded<T> {
  const key = path === null ? "" : JSON.stringify([path, params]);
  const [state, setState] = useState<{ key: string; data: T | undefined; error: unknown; isLoading: boolean }>({
    key,
    data: undefined,
    error: undefined,
    isLoading: path !== null,
  });
  const again = useRef<() => void>(() => undefined);
  useEffect(() => {
    if (key === "") return;
    const [from, query] = JSON.parse(key) as [string, Record<string, Param>];
    const gone = new AbortController();
    let timer: number | undefined;
    const read = async (): Promise<void> => {
      window.clearTimeout(timer);
      try {
        const data = await get<T>(from, query, gone.signal);
        if (!gone.signal.aborted) setState({ key, data, error: undefined, isLoading: false });
      } catch (error) {
        if (!gone.signal.aborted)
          setState((before) => ({
            key,
            data: before.key === key ? before.data : undefined,
            error,
            isLoading: false,
          }));
      }
      if (everyMs !== null && !gone.signal.aborted)
        timer = window.setTimeout(read, document.hidden ? everyMs * 10 : everyMs);
    };
    again.current = () => void read();
    setState((before) => (before.key === key ? before : { key, data: undefined, error: undefined, isLoading: true }));
    const onShow = (): void => {
      if (!document.hidden && everyMs !== null) void read();
    };
    document.addEventListener("visibilitychange", onShow);
    void read();
    return () => {
      gone.abort();
      window.clearTimeout(timer);
      document.removeEventListener("visibilitychange", onShow);
    };
  }, [key, everyMs]);
  const reload = useCallback(() => again.current(), []);
  return { data: state.key === key ? state.data : undefined, error: state.error, isLoading: state.isLoading, reload };
}
