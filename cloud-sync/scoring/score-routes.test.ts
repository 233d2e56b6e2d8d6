import { join } from "node:path";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { loadClassifier } from "../../models/maintenance/classifier.ts";
import { MODELS_FOLDER } from "../../test/support/running-scorer.ts";
import { Failure } from "../services/http/failure.ts";
import { createServer } from "../services/http/server.ts";
import { type ScoreOptions, scoreRoutes } from "./score-routes.ts";
import { ROWS_MAX } from "./score-schemas.ts";

const model = await loadClassifier(join(MODELS_FOLDER, "maintenance", "press", "1.0.0"));
const CHECK = [
  { Pressure: 7470, MachineTemperature: 69 },
  { Pressure: 7490, MachineTemperature: 55 },
  { Pressure: 7800, MachineTemperature: 30 },
];

function service(access?: ScoreOptions["access"]) {
  const app = createServer({ logger: pino({ level: "silent" }), documentation: "/docs", behindProxy: false });
  app.register(scoreRoutes({ model, ...(access === undefined ? {} : { access }) }));
  onTestFinished(() => app.close());
  return async (payload: unknown, url = "/score") => {
    const body = typeof payload === "string" ? payload : JSON.stringify(payload);
    const response = await app.inject({
      method: "POST",
      url,
      payload: body,
      headers: { "content-type": "application/json" },
    });
    return { status: response.statusCode, answer: response.json() };
  };
}

test("the lab's contract: rows in, labels out", async () => {
  const ask = service();
  expect(await ask({ data: CHECK })).toEqual({ status: 200, answer: [1, 0, 3] });
  expect(await ask({ data: [] })).toEqual({ status: 200, answer: [] });
  expect(await ask({ data: CHECK }, "/score?detail=false")).toEqual({ status: 200, answer: [1, 0, 3] });
});

test("in detail, with probabilities, and said when the model never saw such readings", async () => {
  const { answer } = await service()({ data: CHECK }, "/score?detail=true");
  expect(answer[0]).toMatchObject({ label: 1, requirement: "tighten the adjustment harness", outsideTraining: false });
  const sum = answer[0].probabilities.reduce((all: number, one: { probability: number }) => all + one.probability, 0);
  expect(sum).toBeCloseTo(1, 3);
  expect(answer[0].probabilities[1]).toMatchObject({ label: 1, probability: answer[0].probability });
  expect(answer[2]).toMatchObject({ label: 3, outsideTraining: true, probability: null, probabilities: null });
});

test.each<[string, unknown, number, string]>([
  ["no rows", {}, 400, "data"],
  ["no JSON", "{", 400, ""],
  ["a text for a number", { data: [{ Pressure: "7470", MachineTemperature: 69 }] }, 400, "data.0.Pressure"],
  ["an input missing", { data: [CHECK[0], { Pressure: 7470 }] }, 400, "MachineTemperature"],
  ["another name", { data: [{ ...CHECK[0], Colour: 3 }] }, 400, 'unknown fields: "Colour"'],
  ["a number beyond numbers", '{"data":[{"Pressure":1e999,"MachineTemperature":69}]}', 400, "data.0.Pressure"],
  ["too many rows", { data: Array(ROWS_MAX + 1).fill({ Pressure: 1, MachineTemperature: 2 }) }, 400, "data"],
  ["too large", { data: Array(30_000).fill(CHECK[0]) }, 413, ""],
])("%s is an HTTP error with a sentence", async (_, payload, status, words) => {
  const { status: got, answer } = await service()(payload);
  expect([got, Object.keys(answer).sort()]).toEqual([status, ["error", "hint", "message"]]);
  expect(answer.message).toContain(words);
});

test("access is asked, and the service is described", async () => {
  const asked: string[] = [];
  const access: ScoreOptions["access"] = {
    require: (role) => async () => {
      asked.push(role);
      throw new Failure(401, "NOT_LOGGED_IN", "who asks?");
    },
  };
  expect(await service(access)({ data: CHECK })).toMatchObject({ status: 401, answer: { error: "NOT_LOGGED_IN" } });
  expect(asked).toEqual(["viewer"]);
  const app = createServer({ logger: pino({ level: "silent" }), documentation: "/docs", behindProxy: false });
  app.register(scoreRoutes({ model }));
  onTestFinished(() => app.close());
  const described = (await app.inject("/score/openapi.json")).json();
  expect(Object.keys(described.paths)).toEqual(["/score"]);
  expect(described.paths["/score"].post.requestBody.content["application/json"].schema.properties.data.maxItems).toBe(
    ROWS_MAX,
  );
});
