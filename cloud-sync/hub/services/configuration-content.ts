import { HubError } from "../hub-error.ts";
import type { Json, JsonMap } from "../ports.ts";

/** One section of the desired properties that a configuration sets: everything under the path becomes the value. */
export interface Section {
  /** Below properties.desired; empty is all of it. */
  readonly path: readonly string[];
  readonly value: Json;
}

export type ConfigurationContent =
  /** Of devices or of modules that the target condition selects. */
  | { readonly kind: "deviceContent" | "moduleContent"; readonly sections: readonly Section[] }
  /** IoT Edge: of the named modules of devices that the target condition selects. */
  | { readonly kind: "modulesContent"; readonly modules: ReadonlyMap<string, readonly Section[]> };

const KINDS = ["deviceContent", "moduleContent", "modulesContent"] as const;
const DESIRED = "properties.desired";

/**
 * What a configuration's content says.
 * @throws HubError ArgumentInvalid when it is none, or more than one, or sets something else than desired properties
 */
export function parseContent(content: unknown): ConfigurationContent {
  if (!isMap(content)) throw new HubError("ArgumentInvalid", "the content of a configuration is an object");
  const given = KINDS.filter((kind) => content[kind] !== undefined && content[kind] !== null);
  const [kind] = given;
  if (kind === undefined || given.length > 1) {
    throw new HubError("ArgumentInvalid", `the content of a configuration is one of ${KINDS.join(", ")}`);
  }
  const inner = content[kind];
  if (!isMap(inner)) throw new HubError("ArgumentInvalid", `${kind} is an object`);
  if (kind !== "modulesContent") return { kind, sections: sectionsOf(inner, kind) };
  const modules = Object.entries(inner).map(([moduleId, sections]) => {
    if (!isMap(sections)) throw new HubError("ArgumentInvalid", `modulesContent.${moduleId} is an object`);
    return [moduleId, sectionsOf(sections, `modulesContent.${moduleId}`)] as const;
  });
  return { kind, modules: new Map(modules) };
}

/** True for one that adds to the deployment below it: it sets parts of $edgeAgent's or $edgeHub's properties only. */
export function isLayered({ modules }: Extract<ConfigurationContent, { kind: "modulesContent" }>): boolean {
  const agent = [...(modules.get("$edgeAgent") ?? [])];
  return agent.length === 0 || agent.every(({ path }) => path.length > 0);
}

/** Two sections that cannot both be as they are wanted. */
export function overlaps(a: Section, b: Section): boolean {
  const shared = Math.min(a.path.length, b.path.length);
  return a.path.slice(0, shared).every((step, index) => step === b.path[index]);
}

/** The properties with the section in its place. */
export function withSection(values: JsonMap, { path, value }: Section): JsonMap {
  const [step, ...rest] = path;
  if (step === undefined) return isMap(value) ? value : {};
  if (rest.length === 0) return { ...values, [step]: value };
  const below = values[step];
  return { ...values, [step]: withSection(isMap(below) ? below : {}, { path: rest, value }) };
}

/** The merge patch that makes one of the other; undefined when they are alike. */
export function patchBetween(from: JsonMap, to: JsonMap): JsonMap | undefined {
  const patch: Record<string, Json> = {};
  for (const key of Object.keys(from)) if (!Object.hasOwn(to, key)) patch[key] = null;
  for (const [key, wanted] of Object.entries(to)) {
    const present = Object.hasOwn(from, key) ? from[key] : undefined;
    if (isMap(present) && isMap(wanted)) {
      const inner = patchBetween(present, wanted);
      if (inner !== undefined) patch[key] = inner;
    } else if (JSON.stringify(present) !== JSON.stringify(wanted)) patch[key] = wanted;
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

export function isMap(value: unknown): value is JsonMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function sectionsOf(content: JsonMap, where: string): Section[] {
  return Object.entries(content).map(([key, value]) => {
    if (key !== DESIRED && !key.startsWith(`${DESIRED}.`)) {
      throw new HubError("ArgumentInvalid", `${where} sets "${key}", only ${DESIRED} and what is below it can be set`);
    }
    const path = key === DESIRED ? [] : key.slice(DESIRED.length + 1).split(".");
    if (path.length === 0 && !isMap(value)) throw new HubError("ArgumentInvalid", `${where}: ${key} is an object`);
    return { path, value };
  });
}
