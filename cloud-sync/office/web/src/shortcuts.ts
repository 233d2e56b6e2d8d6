import { useEffect, useRef } from "preact/hooks";
import type { View } from "./router.ts";

/** After "g" the letter of a view. */
export const GO: readonly { readonly key: string; readonly view: View; readonly title: string }[] = [
  { key: "o", view: "overview", title: "Overview" },
  { key: "m", view: "machines", title: "Machines" },
  { key: "n", view: "anomalies", title: "Anomalies" },
  { key: "a", view: "alarms", title: "Alarms" },
  { key: "t", view: "trends", title: "Trends" },
  { key: "w", view: "maintenance", title: "Maintenance" },
  { key: "l", view: "ledger", title: "Ledger" },
  { key: "d", view: "metadata", title: "Metadata" },
  { key: "r", view: "reports", title: "Reports" },
  { key: "u", view: "accounts", title: "Accounts" },
];
const SEQUENCE_MS = 1_500;

/** Keys of the whole page; none of them while somebody types, and none together with Ctrl, Alt or Meta. */
export function useShortcuts(openHelp: () => void): void {
  const open = useRef(openHelp);
  open.current = openHelp;
  useEffect(() => {
    let goUntilMs = 0;
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented || isTyping(event.target)) return;
      if (document.querySelector("dialog[open]") !== null) return;
      if (performance.now() < goUntilMs) {
        goUntilMs = 0;
        const go = GO.find(({ key }) => key === event.key.toLowerCase());
        if (go === undefined) return;
        event.preventDefault();
        location.hash = go.view === "overview" ? "#/" : `#/${go.view}`;
        return;
      }
      if (event.key === "g") goUntilMs = performance.now() + SEQUENCE_MS;
      else if (event.key === "?") open.current();
      else if (event.key === "/") {
        const search = document.querySelector<HTMLInputElement>('main input[type="search"]');
        if (search === null) return;
        event.preventDefault();
        search.focus();
        search.select();
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !["checkbox", "radio", "button"].includes(target.type);
  return target.isContentEditable || ["TEXTAREA", "SELECT"].includes(target.tagName);
}
