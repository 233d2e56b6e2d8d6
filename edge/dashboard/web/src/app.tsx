import { useEffect, useReducer, useRef } from "preact/hooks";
import { formatClock } from "./format.ts";
import { useRoute } from "./router.ts";
import type { Store } from "./store.ts";
import { Connections } from "./views/connections.tsx";
import { Floor } from "./views/floor.tsx";
import { Machine } from "./views/machine.tsx";
import { Uplink } from "./views/uplink.tsx";

const TITLES = { floor: "Floor", connections: "Connections", uplink: "Cloud line" } as const;

/** Draws when the store changed, and once a second for the ages. */
function useStore(store: Store): number {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const stop = store.watch(() => redraw(undefined));
    const timer = setInterval(() => redraw(undefined), 1_000);
    return () => {
      stop();
      clearInterval(timer);
    };
  }, [store]);
  return store.nowMs();
}

export function App({ store }: { store: Store }) {
  const nowMs = useStore(store);
  const route = useRoute();
  const main = useRef<HTMLElement>(null);
  const place = route.view === "machine" ? route.machineId : route.view;
  const firstPlace = useRef(place);
  useEffect(() => {
    document.title = `${route.view === "machine" ? route.machineId : TITLES[route.view]} · Tailstock`;
    // A keyboard or screen-reader user starts at the top of what was opened, except when the page itself was.
    if (firstPlace.current !== place) main.current?.focus();
    firstPlace.current = place;
  }, [place, route]);
  const troubled = [...store.connections.values()].filter(({ state }) => state !== "connected").length;
  const line = store.uplink.uplink;
  return (
    <div class={store.streamUp ? "page" : "page page-down"}>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to content
      </button>
      <header class="bar">
        <a class="brand" href="#/">
          <img src="/icon.svg" alt="" width="28" height="28" />
          <span>Tailstock</span>
          {store.site && <span class="site">{store.site}</span>}
        </a>
        <nav aria-label="Views">
          <a href="#/" aria-current={route.view === "floor" ? "page" : undefined}>
            Floor
          </a>
          <a href="#/connections" aria-current={route.view === "connections" ? "page" : undefined}>
            Connections
            {troubled > 0 && (
              <span class="count" role="img" aria-label={`${troubled} not connected`}>
                {troubled}
              </span>
            )}
          </a>
          {store.uplink.configured && (
            <a href="#/uplink" aria-current={route.view === "uplink" ? "page" : undefined}>
              Cloud line
              {line && line.level !== "calm" && (
                <span class={`count count-${line.level}`} role="img" aria-label="needs attention">
                  !
                </span>
              )}
            </a>
          )}
        </nav>
        <time class="clock num">{formatClock(nowMs)}</time>
      </header>
      <div role="alert">
        {!store.streamUp && (
          <p class="banner">
            <strong>No connection to Tailstock since {formatClock(store.downSinceMs ?? 0)}.</strong> Values below are
            the last known ones. Trying again every second.
          </p>
        )}
      </div>
      <main id="main" ref={main} tabIndex={-1}>
        {route.view === "floor" && <Floor store={store} nowMs={nowMs} />}
        {route.view === "machine" && (
          <Machine key={route.machineId} store={store} machineId={route.machineId} nowMs={nowMs} />
        )}
        {route.view === "uplink" && <Uplink store={store} nowMs={nowMs} />}
        {route.view === "connections" && <Connections store={store} nowMs={nowMs} />}
      </main>
    </div>
  );
}
