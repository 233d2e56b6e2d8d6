import { HubError } from "../hub-error.ts";
import { parseCondition, parseQuery } from "../query/parser.ts";
import type { Expression, QuerySource } from "../query/query.ts";
import type { StoredConfiguration } from "../store/configuration-store.ts";
import { type ConfigurationContent, isLayered, overlaps, parseContent, type Section } from "./configuration-content.ts";

export type ConfigurationStatus = "Targeted" | "Applied";

/** A configuration, read. */
export interface Active {
  readonly id: string;
  readonly content: ConfigurationContent;
  readonly source: QuerySource;
  readonly condition: Expression;
}

/** What is wanted of one twin, and how far each configuration gets. */
export interface Plan {
  readonly sections: readonly Section[];
  readonly statuses: ReadonlyMap<string, ConfigurationStatus>;
}

/**
 * What a target condition selects: of devices, or, when it is written as `FROM devices.modules WHERE …`, of modules.
 * @throws HubError ArgumentInvalid
 */
export function parseTarget(
  targetCondition: string,
  kind: ConfigurationContent["kind"],
): { source: QuerySource; condition: Expression } {
  const source = kind === "moduleContent" ? "devices.modules" : "devices";
  if (!/^\s*from\s/i.test(targetCondition)) return { source, condition: parseCondition(targetCondition) };
  const query = parseQuery(`SELECT * ${targetCondition}`);
  if (query.source !== source) {
    throw new HubError(
      "ArgumentInvalid",
      `a target condition of ${kind} selects FROM ${source}, not FROM ${query.source}`,
    );
  }
  return { source, condition: query.where ?? { kind: "literal", value: true } };
}

export function activeOf({ id, content, targetCondition }: StoredConfiguration): Active {
  const parsed = parseContent(content);
  return { id, content: parsed, ...parseTarget(targetCondition, parsed.kind) };
}

/** Of what targets one twin, best first: each is applied whole, or, where a better one sets the same, not at all. */
export function planOf(targeting: readonly Active[]): Plan {
  const sections: Section[] = [];
  const statuses = new Map<string, ConfigurationStatus>();
  for (const { id, content } of targeting) {
    if (content.kind === "modulesContent") continue;
    const isFree = !content.sections.some((section) => sections.some((taken) => overlaps(section, taken)));
    if (isFree) sections.push(...content.sections);
    statuses.set(id, isFree ? "Applied" : "Targeted");
  }
  return { sections, statuses };
}

/** The best whole deployment, and over it the layers whose priority is higher, the best one last. */
export function deploymentOf(targeting: readonly Active[]): {
  readonly modules: ReadonlyMap<string, readonly Section[]>;
  readonly statuses: ReadonlyMap<string, ConfigurationStatus>;
} {
  const statuses = new Map<string, ConfigurationStatus>();
  const layers: ReadonlyMap<string, readonly Section[]>[] = [];
  let isBaseFound = false;
  for (const { id, content } of targeting) {
    if (content.kind !== "modulesContent") continue;
    statuses.set(id, isBaseFound ? "Targeted" : "Applied");
    if (isBaseFound) continue;
    layers.unshift(content.modules);
    isBaseFound = !isLayered(content);
  }
  const modules = new Map<string, readonly Section[]>();
  for (const layer of layers)
    for (const [moduleId, sections] of layer) modules.set(moduleId, [...(modules.get(moduleId) ?? []), ...sections]);
  return { modules, statuses };
}
