import type { TObject } from "@fastify/type-provider-typebox";
import type { JsonObject } from "../../../contract/event.ts";
import type { MetadataKind, MetadataState } from "../../../store/metadata-document.ts";
import type { Role } from "../../access/access.ts";

export interface Reference {
  readonly kind: MetadataKind;
  readonly id: string;
  /** The field that says so. */
  readonly field: string;
}

/** What a kind of metadata is: its fields, who may write it, what must hold. */
export interface Kind {
  readonly kind: MetadataKind;
  /** As event types begin: "Work Order". */
  readonly label: string;
  /** Of `data`; what is left out is stored as null. */
  readonly data: TObject;
  /** Who may create and change it. Deleting and restoring is the administrator's. */
  readonly writer: Role;
  /** Whether the id is what people call it, and must be given; else one is made. */
  readonly isNamed: boolean;
  readonly references: (data: JsonObject) => readonly Reference[];
  /** Of what it is about; `machine` is the machine that it refers to. */
  readonly subject: (
    id: string,
    data: JsonObject,
    machine: MetadataState | undefined,
  ) => { readonly factoryId: string; readonly machineId: string };
  /** What a schema can't say. @throws Failure 400, 409 */
  readonly check: (data: JsonObject, before: JsonObject | undefined, today: string) => void;
}

/** A text field, "" when there is none. */
export function textOf(data: JsonObject, field: string): string {
  const value = data[field];
  return typeof value === "string" ? value : "";
}
