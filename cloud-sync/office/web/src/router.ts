import { useEffect, useState } from "preact/hooks";

export const VIEWS = [
  "overview",
  "machines",
  "anomalies",
  "alarms",
  "trends",
  "maintenance",
  "ledger",
  "metadata",
  "reports",
  "accounts",
] as const;
export type View = (typeof VIEWS)[number];

/** "#/machines?factory=redmond": a view and what it shows, so that an address can be sent to somebody else. */
export interface Route {
  readonly view: View | "machine";
  readonly params: URLSearchParams;
}

export function routeOf(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const params = new URLSearchParams(query);
  if (path === "machine") return { view: "machine", params };
  return { view: VIEWS.find((view) => view === path) ?? "overview", params };
}

export function hrefOf(view: Route["view"], params: Readonly<Record<string, string | undefined>> = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params))
    if (value !== undefined && value !== "") query.append(name, value);
  const path = view === "overview" ? "#/" : `#/${view}`;
  return query.size === 0 ? path : `${path}?${query}`;
}

export function machineHref(machineId: string): string {
  return hrefOf("machine", { id: machineId });
}

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const onChange = () => setHash(location.hash);
    addEventListener("hashchange", onChange);
    return () => removeEventListener("hashchange", onChange);
  }, []);
  return routeOf(hash);
}

/** Keeps a choice in the address without a step in the browser's history. */
export function replaceParams(route: Route, change: Readonly<Record<string, string | undefined>>): void {
  const params = Object.fromEntries(route.params);
  history.replaceState(null, "", hrefOf(route.view, { ...params, ...change }));
  dispatchEvent(new HashChangeEvent("hashchange"));
}
