import { useEffect, useReducer } from "preact/hooks";
import { ApiError, ask, line } from "./api.ts";

export const ROLES = ["viewer", "operator", "technician", "administrator"] as const;
export type Role = (typeof ROLES)[number];

export interface Person {
  readonly name: string;
  readonly role: Role;
  readonly kind: string;
}

interface SessionAnswer {
  readonly person: Person | null;
  readonly csrf: string | null;
  readonly oidc: boolean;
}

/** Who is logged in. unknown: not asked yet. */
export class Session {
  person: Person | null = null;
  state: "unknown" | "in" | "out" = "unknown";
  /** The session has ended while somebody worked. */
  hasEnded = false;
  /** Whether the company's identity provider may be used. */
  oidc = false;
  readonly #watchers = new Set<() => void>();

  constructor() {
    line.onLoginNeeded = () => {
      if (this.state !== "in") return;
      this.hasEnded = true;
      this.#set(null);
    };
    line.onDown = () => this.#tell();
  }

  async start(): Promise<void> {
    try {
      const { body } = await ask<SessionAnswer>("GET", "/api/session");
      this.#accept(body);
    } catch (error) {
      // Nobody is logged in: the answer says whether the company's own login may be used.
      this.oidc = error instanceof ApiError && error.body.oidc === true;
      this.#set(null);
    }
  }

  /** @throws ApiError in the server's words */
  async login(name: string, password: string): Promise<void> {
    const { body } = await ask<SessionAnswer>("POST", "/api/session", { body: { name, password } });
    this.#accept(body);
  }

  async logout(): Promise<void> {
    await ask("DELETE", "/api/session").catch(() => undefined);
    this.hasEnded = false;
    this.#set(null);
  }

  isAtLeast(role: Role): boolean {
    return this.person !== null && ROLES.indexOf(this.person.role) >= ROLES.indexOf(role);
  }

  watch(onChange: () => void): () => void {
    this.#watchers.add(onChange);
    return () => this.#watchers.delete(onChange);
  }

  #accept({ person, csrf, oidc }: SessionAnswer): void {
    line.csrf = csrf ?? "";
    this.oidc = oidc;
    this.hasEnded = false;
    this.#set(person);
  }

  #set(person: Person | null): void {
    this.person = person;
    this.state = person === null ? "out" : "in";
    if (person === null) line.csrf = "";
    this.#tell();
  }

  #tell(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}

/** Draws when somebody has come or gone, when the line has, and once a second for the ages. */
export function useSession(session: Session): void {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => session.watch(() => redraw(undefined)), [session]);
}
