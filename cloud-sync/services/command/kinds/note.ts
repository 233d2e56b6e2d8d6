import { Type } from "@fastify/type-provider-typebox";
import { Failure } from "../../http/failure.ts";
import { closed, Id, Lines, Maybe } from "./fields.ts";
import { type Kind, textOf } from "./kind.ts";

const TEXT_CHARACTERS_MAX = 8_000;

export const NOTE: Kind = {
  kind: "note",
  label: "Note",
  writer: "operator",
  isNamed: false,
  data: Type.Object(
    {
      machineId: Maybe(Id("the machine that it is about")),
      factoryId: Maybe(Id("the factory that it is about, when it is about no machine")),
      text: Lines("what is to be known", TEXT_CHARACTERS_MAX),
    },
    closed,
  ),
  references: (data) =>
    (["machine", "factory"] as const)
      .map((kind) => ({ kind, id: textOf(data, `${kind}Id`), field: `${kind}Id` }))
      .filter(({ id }) => id !== ""),
  subject: (_id, data, machine) => ({
    factoryId: machine?.factoryId ?? textOf(data, "factoryId"),
    machineId: textOf(data, "machineId"),
  }),
  check: (data) => {
    const [machineId, factoryId] = [textOf(data, "machineId"), textOf(data, "factoryId")];
    if ((machineId === "") === (factoryId === ""))
      throw new Failure(
        400,
        "REQUEST_INVALID",
        "a note is about a machine or about a factory: data has one of machineId and factoryId",
      );
  },
};
