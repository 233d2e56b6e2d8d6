import { ApiError, ask } from "./api.ts";
import type { Field, KindName } from "./kinds.ts";

export type Data = Readonly<Record<string, unknown>>;

/** As the command service keeps it. */
export interface EntityState {
  readonly kind: KindName;
  readonly id: string;
  readonly factoryId: string;
  readonly machineId: string;
  readonly version: number;
  readonly deleted: boolean;
  readonly data: Data;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly changedAt: string;
  readonly changedBy: string;
}

export interface Tagged {
  readonly state: EntityState;
  readonly etag: string;
}

function pathOf(kind: KindName, id: string, more = ""): string {
  return `/api/command/${kind}/${encodeURIComponent(id)}${more}`;
}

export async function getEntity(kind: KindName, id: string, signal?: AbortSignal): Promise<Tagged> {
  const { body, etag } = await ask<EntityState>("GET", pathOf(kind, id), { signal });
  return { state: body, etag: etag ?? "" };
}

/** @param key the same for each try: what was carried out already is not done twice */
export async function createEntity(kind: KindName, id: string | null, data: Data, key: string): Promise<Tagged> {
  const { body, etag } = await ask<EntityState>("POST", `/api/command/${kind}`, {
    body: id === null ? { data } : { id, data },
    headers: { "idempotency-key": key },
  });
  return { state: body, etag: etag ?? "" };
}

export async function updateEntity({ state, etag }: Tagged, data: Data, key: string): Promise<Tagged> {
  const answer = await ask<EntityState>("PUT", pathOf(state.kind, state.id), {
    body: { data },
    headers: { "if-match": etag, "idempotency-key": key },
  });
  return { state: answer.body, etag: answer.etag ?? "" };
}

export async function removeEntity({ state, etag }: Tagged, key: string): Promise<Tagged> {
  const answer = await ask<EntityState>("DELETE", pathOf(state.kind, state.id), {
    headers: { "if-match": etag, "idempotency-key": key },
  });
  return { state: answer.body, etag: answer.etag ?? "" };
}

export async function restoreEntity({ state, etag }: Tagged, key: string): Promise<Tagged> {
  const answer = await ask<EntityState>("POST", pathOf(state.kind, state.id, "/restore"), {
    headers: { "if-match": etag, "idempotency-key": key },
  });
  return { state: answer.body, etag: answer.etag ?? "" };
}

/** What somebody else has made of it meanwhile; undefined when that is not what went wrong. */
export function conflictOf(error: unknown): Tagged | undefined {
  if (!(error instanceof ApiError) || error.status !== 412) return undefined;
  const current = error.body.current as EntityState | undefined;
  return current === undefined ? undefined : { state: current, etag: `"v${current.version}"` };
}

/** The field that the service speaks of: "data.location.latitude must be <= 90". */
export function fieldOf(error: unknown, fields: readonly Field[]): Field | undefined {
  if (!(error instanceof ApiError)) return undefined;
  const path = /\bdata\.([\w.]+)/.exec(error.message)?.[1];
  if (path === undefined) return undefined;
  return fields.find((field) => path === field.path || path.startsWith(`${field.path}.`));
}

export function valueAt(data: Data, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => (isData(value) ? value[key] : undefined), data) ?? null;
}

export function withValue(data: Data, path: string, value: unknown): Data {
  const [key = "", ...rest] = path.split(".");
  if (rest.length === 0) return { ...data, [key]: value };
  const inner = data[key];
  return { ...data, [key]: withValue(isData(inner) ? inner : {}, rest.join("."), value) };
}

export function isEqual(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

export interface Merged {
  readonly field: Field;
  readonly before: unknown;
  readonly mine: unknown;
  readonly theirs: unknown;
  /** Both have changed it, to different things: a person decides. */
  readonly isDisputed: boolean;
  readonly choice: "mine" | "theirs";
}

/** Field by field what of two changes stands: who alone has changed a field is right about it. */
export function merge(fields: readonly Field[], before: Data, mine: Data, theirs: Data): Merged[] {
  return fields.flatMap((field): Merged[] => {
    const [b, m, t] = [before, mine, theirs].map((data) => valueAt(data, field.path));
    if (isEqual(m, t)) return [];
    const isMine = !isEqual(b, m);
    const isTheirs = !isEqual(b, t);
    return [
      { field, before: b, mine: m, theirs: t, isDisputed: isMine && isTheirs, choice: isMine ? "mine" : "theirs" },
    ];
  });
}

function isData(value: unknown): value is Data {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function canonical(value: unknown): string {
  return JSON.stringify(value ?? null, (_key, each: unknown) =>
    isData(each)
      ? Object.fromEntries(
          Object.entries(each)
            .filter(([, v]) => v !== null)
            .sort(([a], [b]) => (a < b ? -1 : 1)),
        )
      : each,
  );
}
