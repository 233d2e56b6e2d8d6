import type { Json, JsonMap, TwinSection } from "../ports.ts";

/** Who wrote a value, and when: $lastUpdated, and in desired properties $lastUpdatedVersion. */
export interface Stamp {
  readonly $lastUpdated: string;
  readonly $lastUpdatedVersion?: number;
}

type Mutable = { [key: string]: Json };

/** Merges a patch (RFC 7396: null removes) and moves the version on. Metadata follows the values, leaf by leaf. */
export function patched(section: TwinSection, patch: JsonMap, stamp: Stamp): TwinSection {
  const values = structuredClone(section.values) as Mutable;
  const metadata = structuredClone(section.metadata) as Mutable;
  merge(values, metadata, patch, stamp);
  return { values, metadata, version: section.version + 1 };
}

/** A section that holds nothing but `values`. */
export function replaced(section: TwinSection, values: JsonMap, stamp: Stamp): TwinSection {
  return patched({ values: {}, metadata: {}, version: section.version }, values, stamp);
}

/** A patch that makes `values` of `old`: what it had and `values` has not is null in it. */
export function replacingPatch(old: JsonMap, values: JsonMap): JsonMap {
  const patch: Mutable = {};
  for (const key of Object.keys(old)) if (!Object.hasOwn(values, key)) set(patch, key, null);
  for (const [key, value] of Object.entries(values)) {
    const before = Object.hasOwn(old, key) ? old[key] : undefined;
    set(patch, key, isMap(before) && isMap(value) ? replacingPatch(before, value) : value);
  }
  return patch;
}

export function mergedTags(tags: JsonMap, patch: JsonMap): JsonMap {
  const values = structuredClone(tags) as Mutable;
  merge(values, {}, patch, { $lastUpdated: "" });
  return values;
}

export function isMap(value: Json | undefined): value is JsonMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function merge(values: Mutable, metadata: Mutable, patch: JsonMap, stamp: Stamp): void {
  Object.assign(metadata, stamp);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) {
      delete values[key];
      delete metadata[key];
    } else if (isMap(value)) {
      const wasMap = Object.hasOwn(values, key) && isMap(values[key]);
      const child = wasMap ? (values[key] as Mutable) : {};
      const childMetadata = wasMap && Object.hasOwn(metadata, key) ? (metadata[key] as Mutable) : {};
      merge(child, childMetadata, value, stamp);
      set(values, key, child);
      set(metadata, key, childMetadata);
    } else {
      set(values, key, value);
      set(metadata, key, { ...stamp });
    }
  }
}

/** Also for "__proto__", which a client may well send. */
function set(map: Mutable, key: string, value: Json): void {
  Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
}
