import type { FastifyInstance, FastifySchemaCompiler } from "fastify";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { Failure } from "./failure.ts";

interface Finding {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly params: object;
}

/**
 * Requests are checked here rather than by the server's own validator, whose settings belong to whoever mounts these routes: nothing is
 * coerced, nothing unknown is dropped in silence, and what is wrong is told in one sentence.
 */
export function addValidation(app: FastifyInstance): void {
  const compiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
    const validator = Compile(schema);
    return (value: unknown) => {
      if (validator.Check(value)) return { value };
      return { error: refusalOf(validator.Errors(value) as readonly Finding[], httpPart ?? "request") };
    };
  };
  app.setValidatorCompiler(compiler);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
}

function refusalOf(findings: readonly Finding[], part: string): Failure {
  // The last of several at one place says what is expected as a whole; what is unknown is told first.
  const unknown = findings.find(({ keyword }) => keyword === "additionalProperties");
  const [first] = findings;
  const finding = unknown ?? findings.findLast(({ instancePath }) => instancePath === first?.instancePath) ?? first;
  return new Failure(400, "REQUEST_INVALID", `${placeOf(finding, part)} ${wordsOf(finding)}`, {
    hint: "Addresses and fields are described in this service's openapi.json.",
  });
}

function placeOf(finding: Finding | undefined, part: string): string {
  const path = finding?.instancePath.slice(1).replaceAll("/", ".") ?? "";
  return path === "" ? `the ${part}` : path.slice(0, 200);
}

function wordsOf(finding: Finding | undefined): string {
  if (finding === undefined) return "is not as it must be";
  if (finding.keyword === "additionalProperties" && "additionalProperties" in finding.params) {
    const names = (finding.params.additionalProperties as readonly string[]).map((name) => JSON.stringify(name));
    return `has unknown fields: ${names.slice(0, 5).join(", ").slice(0, 200)}`;
  }
  if (finding.keyword === "anyOf") return "is none of what is allowed here";
  if (finding.keyword === "pattern") return "has characters or a form that is not allowed here";
  return finding.message;
}
