import swagger from "@fastify/swagger";
import type { FastifyPluginAsync } from "fastify";
import { modelInvalid } from "../../models/artifact/artifact-files.ts";
import type { Classification, Classifier } from "../../models/maintenance/classifier.ts";
import type { Access } from "../services/access/access.ts";
import { addFailures } from "../services/http/failures.ts";
import { addValidation } from "../services/http/validation.ts";
import { ScoreAnswer, ScoreBody, type ScoreDetail, ScoreFailure, ScoreQuery } from "./score-schemas.ts";

export const SCORE_DOCUMENTATION = "/score/openapi.json";
/** Of ROWS_MAX rows. */
const BODY_BYTES_MAX = 1_000_000;
/** The contract's names of the inputs. */
const FIELD_OF: Readonly<Record<string, keyof ScoreBody["data"][number]>> = {
  machinePressure: "Pressure",
  machineTemperature: "MachineTemperature",
};

export interface ScoreOptions {
  readonly model: Classifier;
  /** Who may ask: viewers and above. Left out: everybody who reaches it. */
  readonly access?: Pick<Access, "require">;
}

/**
 * POST /score, the contract of the lab's scoring service: {"data": [{"Pressure": 7470, "MachineTemperature": 69}, …]} → [1, …], one label
 * a row. What is wrong is an HTTP error with a sentence. May be mounted in any server; described at /score/openapi.json.
 * @throws EdgeError MODEL_INVALID when the model's inputs are others than the contract's
 */
export function scoreRoutes({ model, access }: ScoreOptions): FastifyPluginAsync {
  const fields = model.inputs.map(({ signal }) => {
    const field = FIELD_OF[signal];
    if (field === undefined) throw modelInvalid(`${model.model.name} wants ${signal}, which POST /score does not have`);
    return field;
  });
  return async (app) => {
    addFailures(app, SCORE_DOCUMENTATION);
    addValidation(app);
    await app.register(swagger, {
      openapi: { openapi: "3.1.0", info: { title: "Maintenance scoring", version: model.model.version } },
    });
    app.get(SCORE_DOCUMENTATION, { schema: { hide: true } }, () => app.swagger());
    app.post<{ Body: ScoreBody; Querystring: ScoreQuery }>(
      "/score",
      {
        bodyLimit: BODY_BYTES_MAX,
        ...(access === undefined ? {} : { onRequest: access.require("viewer") }),
        schema: {
          summary: "Which maintenance readings of a stamping press speak for",
          body: ScoreBody,
          querystring: ScoreQuery,
          response: { 200: ScoreAnswer, "4xx": ScoreFailure, "5xx": ScoreFailure },
        },
      },
      ({ body, query }) => {
        const rows = Float64Array.from(body.data.flatMap((row) => fields.map((field) => row[field])));
        return query.detail === "true" ? details(model, rows) : model.classify(rows).map(({ label }) => label);
      },
    );
  };
}

function details(model: Classifier, rows: Float64Array): ScoreDetail[] {
  const classified = model.classify(rows);
  return model.score(rows).map(({ requirement, probability, outsideTraining, message }, i) => {
    const { label, probabilities } = classified[i] as Classification;
    const all = model.classes.map((one, c) => ({ ...one, probability: Number((probabilities[c] ?? 0).toFixed(4)) }));
    return { label, requirement, outsideTraining, probability, probabilities: outsideTraining ? null : all, message };
  });
}
