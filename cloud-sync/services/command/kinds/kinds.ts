import type { MetadataKind } from "../../../store/metadata-document.ts";
import { CRITERION } from "./criterion.ts";
import { FACTORY } from "./factory.ts";
import type { Kind } from "./kind.ts";
import { MACHINE } from "./machine.ts";
import { NOTE } from "./note.ts";
import { WORK_ORDER } from "./work-order.ts";

export const KINDS: Readonly<Record<MetadataKind, Kind>> = {
  factory: FACTORY,
  machine: MACHINE,
  criterion: CRITERION,
  note: NOTE,
  "work-order": WORK_ORDER,
};
