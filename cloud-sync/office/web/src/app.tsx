import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { formatClock } from "../../../../edge/dashboard/web/src/format.ts";
import { line } from "./data/api.ts";
import { Session, useSession } from "./data/session.ts";
import { useNow } from "./data/use-now.ts";
import { Help } from "./parts/help.tsx";
import { type Route, useRoute, VIEWS, type View } from "./router.ts";
import { useShortcuts } from "./shortcuts.ts";
import { Accounts } from "./views/accounts.tsx";
import { Alarms } from "./views/alarms.tsx";
import { Anomalies } from "./views/anomalies.tsx";
import { Ledger } from "./views/ledger.tsx";
import { Login } from "./views/login.tsx";
import { Machine } from "./views/machine.tsx";
import { Machines } from "./views/machines.tsx";
import { Maintenance } from "./views/maintenance.tsx";
import { Metadata } from "./views/metadata.tsx";
import { Overview } from "./views/overview.tsx";
import { Reports } from "./views/reports.tsx";
import { Trends } from "./views/trends.tsx";

const TITLES: Readonly<Record<View, string>> = {
  overview: "Overview",
  machines: "Machines",
  anomalies: "Anomalies",
  alarms: "Alarms",
  trends: "Trends",
  maintenance: "Maintenance",
  ledger: "Ledger",
  metadata: "Metadata",
  reports: "Reports",
  accounts: "Accounts",
};

export function App() {
  const session = useMemo(() => new Session(), []);
  useSession(session);
  useEffect(() => void session.start(), [session]);
  const route = useRoute();
  if (session.state === "unknown") return <p class="empty">Opening the office …</p>;
  if (session.state === "out") return <Login session={session} />;
  return <Shell session={session} route={route} />;
}

function Shell({ session, route }: { session: Session; route: Route }) {
  const [helpOpen, setHelpOpen] = useState(false);
  const main = useRef<HTMLElement>(null);
  const nowMs = useNow();
  useShortcuts(() => setHelpOpen(true));
  const title = route.view === "machine" ? (route.params.get("id") ?? "Machine") : TITLES[route.view];
  const place = route.view === "machine" ? title : route.view;
  const firstPlace = useRef(place);
  useEffect(() => {
    document.title = `${title} · Tailstock office`;
    // A keyboard or screen-reader user starts at the top of what was opened, except when the page itself was.
    if (firstPlace.current !== place) main.current?.focus();
    firstPlace.current = place;
  }, [place, title]);
  const views = VIEWS.filter((view) => view !== "accounts" || session.isAtLeast("administrator"));
  return (
    <div class={line.downSinceMs === null ? "page" : "page page-down"}>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to content
      </button>
      <header class="bar office-bar">
        <a class="brand" href="#/">
          <img src="/icon.svg" alt="" width="28" height="28" />
          <span>Tailstock</span>
          <span class="site">Office</span>
        </a>
        <nav aria-label="Views">
          {views.map((view) => (
            <a
              key={view}
              href={view === "overview" ? "#/" : `#/${view}`}
              aria-current={
                route.view === view || (route.view === "machine" && view === "machines") ? "page" : undefined
              }
            >
              {TITLES[view]}
            </a>
          ))}
        </nav>
        <div class="who">
          <time class="num muted">{formatClock(nowMs)}</time>
          <button type="button" class="plain key" aria-label="Keyboard shortcuts" onClick={() => setHelpOpen(true)}>
            ?
          </button>
          <span class="person" title={`${session.person?.name ?? ""}, ${session.person?.role ?? ""}`}>
            {session.person?.name}
          </span>
          <button type="button" class="plain" onClick={() => void session.logout()}>
            Log out
          </button>
        </div>
      </header>
      <div role="alert">
        {line.downSinceMs !== null && (
          <p class="banner">
            <strong>No connection to the office since {formatClock(line.downSinceMs)}.</strong> Values below are the
            last known ones. Trying again by itself.
          </p>
        )}
      </div>
      <main id="main" ref={main} tabIndex={-1}>
        <Content session={session} route={route} nowMs={nowMs} />
      </main>
      {helpOpen && <Help isAdministrator={session.isAtLeast("administrator")} onClose={() => setHelpOpen(false)} />}
    </div>
  );
}

function Content({ session, route, nowMs }: { session: Session; route: Route; nowMs: number }) {
  switch (route.view) {
    case "overview":
      return <Overview nowMs={nowMs} />;
    case "machines":
      return <Machines route={route} nowMs={nowMs} />;
    case "machine": {
      const id = route.params.get("id") ?? "";
      return <Machine key={id} session={session} machineId={id} nowMs={nowMs} />;
    }
    case "anomalies":
      return <Anomalies route={route} nowMs={nowMs} />;
    case "alarms":
      return <Alarms route={route} nowMs={nowMs} />;
    case "trends":
      return <Trends route={route} />;
    case "maintenance":
      return <Maintenance route={route} />;
    case "ledger":
      return <Ledger route={route} nowMs={nowMs} />;
    case "metadata":
      return <Metadata session={session} route={route} />;
    case "reports":
      return <Reports route={route} />;
    case "accounts":
      return <Accounts session={session} />;
  }
}
