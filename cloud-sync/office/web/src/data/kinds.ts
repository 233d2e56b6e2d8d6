import type { Role } from "./session.ts";

export const KINDS = ["factory", "machine", "criterion", "note", "work-order"] as const;
export type KindName = (typeof KINDS)[number];

export interface Field {
  /** Place in `data`: "location.city". */
  readonly path: string;
  readonly label: string;
  readonly type: "line" | "lines" | "number" | "day" | "factory" | "choice" | "json" | "thresholds";
  readonly required?: boolean;
  readonly help?: string;
  readonly choices?: readonly (readonly [value: string, title: string])[];
  readonly length?: number;
}

export interface KindForm {
  readonly title: string;
  readonly many: string;
  readonly writer: Role;
  /** Whether people give the id; else the service makes one. */
  readonly isNamed: boolean;
  readonly idHelp: string;
  readonly fields: readonly Field[];
}

export const KIND_FORMS: Readonly<Record<KindName, KindForm>> = {
  factory: {
    title: "Factory",
    many: "Factories",
    writer: "administrator",
    isNamed: true,
    idHelp: "The site's name in the factory's own configuration: redmond",
    fields: [
      { path: "name", label: "Name", type: "line", required: true, length: 200 },
      { path: "location.city", label: "City", type: "line", length: 200 },
      { path: "location.address", label: "Address", type: "line", length: 500 },
      { path: "location.latitude", label: "Latitude", type: "number", help: "Degrees, north is positive" },
      { path: "location.longitude", label: "Longitude", type: "number", help: "Degrees, east is positive" },
      { path: "inServiceSince", label: "In service since", type: "day" },
    ],
  },
  machine: {
    title: "Machine",
    many: "Machines",
    writer: "technician",
    isNamed: true,
    idHelp: "As the factory sends it: redmond/mill-07",
    fields: [
      { path: "factoryId", label: "Factory", type: "factory", required: true },
      { path: "name", label: "Name", type: "line", length: 200 },
      { path: "serialNumber", label: "Serial number", type: "line", length: 200 },
      { path: "typeName", label: "Machine type", type: "line", length: 200, help: "As criteria name it" },
      { path: "inServiceSince", label: "In service since", type: "day" },
      { path: "lastMaintenanceOn", label: "Last maintenance", type: "day" },
      { path: "modelSettings", label: "Settings of models", type: "json", help: "By model, by setting: JSON" },
    ],
  },
  criterion: {
    title: "Criterion",
    many: "Criteria",
    writer: "technician",
    isNamed: true,
    idHelp: "A short name",
    fields: [
      {
        path: "requirement",
        label: "Requirement",
        type: "line",
        required: true,
        length: 200,
        help: "As predictions name it",
      },
      { path: "description", label: "When it holds", type: "lines", required: true, length: 2_000 },
      { path: "action", label: "What is to be done", type: "lines", required: true, length: 2_000 },
      { path: "machineType", label: "Machine type", type: "line", length: 200, help: "Empty: of all types" },
      { path: "label", label: "Class of the model", type: "number" },
      { path: "thresholds", label: "Thresholds", type: "thresholds", help: "All together" },
    ],
  },
  note: {
    title: "Note",
    many: "Notes",
    writer: "operator",
    isNamed: false,
    idHelp: "",
    fields: [
      { path: "machineId", label: "Machine", type: "line", length: 512, help: "Or a factory below" },
      { path: "factoryId", label: "Factory", type: "factory" },
      { path: "text", label: "Note", type: "lines", required: true, length: 8_000 },
    ],
  },
  "work-order": {
    title: "Work order",
    many: "Work orders",
    writer: "operator",
    isNamed: false,
    idHelp: "",
    fields: [
      { path: "machineId", label: "Machine", type: "line", required: true, length: 512 },
      { path: "requirement", label: "What is to be done", type: "line", required: true, length: 200 },
      { path: "description", label: "Description", type: "lines", length: 8_000 },
      {
        path: "status",
        label: "Status",
        type: "choice",
        required: true,
        choices: [
          ["open", "Open"],
          ["in-progress", "In progress"],
          ["done", "Done"],
          ["cancelled", "Cancelled"],
        ],
      },
      { path: "assignee", label: "Assigned to", type: "line", length: 200 },
      { path: "dueOn", label: "Due on", type: "day" },
    ],
  },
};

export function kindOf(text: string | null): KindName | undefined {
  return KINDS.find((kind) => kind === text);
}
