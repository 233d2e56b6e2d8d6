import { Type } from "@fastify/type-provider-typebox";
import type { JsonObject } from "../../../contract/event.ts";
import { Failure } from "../../http/failure.ts";
import { checkDay, closed, Day, Id, Line, Lines, Maybe } from "./fields.ts";
import { type Kind, textOf } from "./kind.ts";

const STATUSES = ["open", "in-progress", "done", "cancelled"] as const;
type Status = (typeof STATUSES)[number];

/** What is done or cancelled stays so: what comes after is another order. */
const NEXT: Readonly<Record<Status, readonly Status[]>> = {
  open: ["in-progress", "cancelled"],
  "in-progress": ["open", "done", "cancelled"],
  done: [],
  cancelled: [],
};

export const WORK_ORDER: Kind = {
  kind: "work-order",
  label: "Work Order",
  writer: "operator",
  isNamed: false,
  data: Type.Object(
    {
      machineId: Id("the machine"),
      requirement: Line("what is to be done, as predictions name it", 200),
      description: Maybe(Lines("for who does it", 8_000)),
      status: Type.Union(STATUSES.map((status) => Type.Literal(status))),
      assignee: Maybe(Line("who does it", 200)),
      dueOn: Maybe(Day("to be done by")),
      predictionId: Maybe(Line("id of the prediction that it came from", 1_000)),
    },
    closed,
  ),
  references: (data) => [{ kind: "machine", id: textOf(data, "machineId"), field: "machineId" }],
  subject: (_id, data, machine) => ({ factoryId: machine?.factoryId ?? "", machineId: textOf(data, "machineId") }),
  check: (data, before) => {
    checkDay(textOf(data, "dueOn") || null, "dueOn");
    checkTransition(data, before);
  },
};

function checkTransition(data: JsonObject, before: JsonObject | undefined): void {
  const to = data.status as Status;
  if (before === undefined) {
    if (to === "open") return;
    throw new Failure(409, "TRANSITION_REFUSED", `a work order begins as open, not as ${to}`);
  }
  const from = before.status as Status;
  if (from === to || NEXT[from].includes(to)) return;
  const allowed = NEXT[from];
  throw new Failure(409, "TRANSITION_REFUSED", `a work order that is ${from} can't become ${to}`, {
    hint: allowed.length === 0 ? "Make another work order." : `It can become: ${allowed.join(", ")}.`,
  });
}
