import { useEffect, useState } from "preact/hooks";

export type Route =
  | { readonly view: "floor" }
  | { readonly view: "connections" }
  | { readonly view: "uplink" }
  | { readonly view: "machine"; readonly machineId: string };

export function routeOf(hash: string): Route {
  if (hash === "#/connections") return { view: "connections" };
  if (hash === "#/uplink") return { view: "uplink" };
  if (hash.startsWith("#/machine/")) {
    try {
      return { view: "machine", machineId: decodeURIComponent(hash.slice("#/machine/".length)) };
    } catch {
      return { view: "floor" };
    }
  }
  return { view: "floor" };
}

export function machineHref(machineId: string): string {
  return `#/machine/${encodeURIComponent(machineId)}`;
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
