import { ByteWriter } from "../../../cloud-sync/contract/block/bytes.ts";
import type { TelemetrySample } from "../../../cloud-sync/contract/event.ts";
import type { SampleValue, ScalarValue } from "../../../cloud-sync/contract/sample.ts";
import { EdgeError } from "../../kernel/errors.ts";
import { ByteReader } from "../byte-reader.ts";

/**
 * How the samples of one telemetry event are stored while they are rows: bit-exact and small, for flash wear.
 *
 *   row    = version u8 (1), base f64 (received time of the first sample, ms), count varint, sample × count
 *   sample = signal ref varint, kind u8, times u8, [status u32], value, [source], [server], [received]
 *   kind   = value kind (low 4 bits) | 0x10 when a status other than Good follows
 *   times  = source (bits 0–1: 0 none, 1 ms after base as zigzag varint, 2 f64, 3 as in the sample before)
 *          | server (bits 2–3: 0 none, 1 zigzag varint, 2 f64, 3 as the source) | received (bits 4–5: 0 base, 1 varint, 2 f64)
 * A number takes the smallest form that gives back the same 64 bits: integer, decimal of one to three places, float32, float64.
 */
const VERSION = 1;
const Kind = {
  Null: 0,
  Float64: 1,
  Int: 2,
  False: 3,
  True: 4,
  String: 5,
  BigInt: 6,
  Array: 7,
  Dec1: 8,
  Dec2: 9,
  Dec3: 10,
  Float32: 11,
} as const;
const SCALE_BY_KIND: Readonly<Record<number, number>> = { [Kind.Dec1]: 10, [Kind.Dec2]: 100, [Kind.Dec3]: 1000 };
const HAS_STATUS = 0x10;
const INT_MAX = 2 ** 31;
const DELTA_MS_MAX = 2 ** 31;

/** @param refOf the number under which the machine's signal is stored */
export function encodeRow(samples: readonly TelemetrySample[], refOf: (signal: string) => number): Buffer {
  const out = new ByteWriter(32 + samples.length * 16);
  const baseMs = samples[0]?.receivedTimestampMs ?? 0;
  out.u8(VERSION);
  out.f64(baseMs);
  out.varint(samples.length);
  let previousSourceMs: number | null = null;
  for (const sample of samples) {
    out.varint(refOf(sample.signal));
    const { sourceTimestampMs, serverTimestampMs, receivedTimestampMs } = sample;
    const value = kindOf(sample.value);
    out.u8(value | (sample.statusCode === 0 ? 0 : HAS_STATUS));
    const source =
      sourceTimestampMs !== null && Object.is(sourceTimestampMs, previousSourceMs)
        ? 3
        : timeKind(sourceTimestampMs, baseMs);
    const server =
      serverTimestampMs !== null && Object.is(serverTimestampMs, sourceTimestampMs)
        ? 3
        : timeKind(serverTimestampMs, baseMs);
    const received = receivedTimestampMs === baseMs ? 0 : timeKind(receivedTimestampMs, baseMs);
    out.u8(source | (server << 2) | (received << 4));
    if (sample.statusCode !== 0) out.u32(sample.statusCode);
    writeValue(out, value, sample.value);
    writeTime(out, source, sourceTimestampMs, baseMs);
    writeTime(out, server, serverTimestampMs, baseMs);
    writeTime(out, received, receivedTimestampMs, baseMs);
    previousSourceMs = sourceTimestampMs;
  }
  return out.take();
}

/**
 * @param nameOf the signal's name by its number
 * @param only when given, samples of other signals are passed over
 * @throws EdgeError LOG_UNAVAILABLE when the row is damaged
 */
export function decodeRow(
  row: Uint8Array,
  nameOf: (ref: number) => string,
  only?: ReadonlySet<string>,
): TelemetrySample[] {
  try {
    return decode(new ByteReader(row), nameOf, only);
  } catch (cause) {
    if (cause instanceof EdgeError) throw cause;
    throw new EdgeError("LOG_UNAVAILABLE", "a telemetry row of the log is damaged", {
      cause,
      hint: "Keep a copy of the log file and check the disk.",
    });
  }
}

function decode(input: ByteReader, nameOf: (ref: number) => string, only?: ReadonlySet<string>): TelemetrySample[] {
  const version = input.u8();
  if (version !== VERSION) throw new RangeError(`row version ${version}, expected ${VERSION}`);
  const baseMs = input.f64();
  const count = input.varint();
  const samples: TelemetrySample[] = [];
  let previousSourceMs: number | null = null;
  for (let i = 0; i < count; i++) {
    const signal = nameOf(input.varint());
    const kind = input.u8();
    const times = input.u8();
    const statusCode = kind & HAS_STATUS ? input.u32() : 0;
    const value = readValue(input, kind & 0x0f);
    const source = times & 3;
    const sourceTimestampMs: number | null = source === 3 ? previousSourceMs : readTime(input, source, baseMs);
    const server = (times >> 2) & 3;
    const serverTimestampMs = server === 3 ? sourceTimestampMs : readTime(input, server, baseMs);
    const received = (times >> 4) & 3;
    const receivedTimestampMs = received === 0 ? baseMs : (readTime(input, received, baseMs) ?? baseMs);
    previousSourceMs = sourceTimestampMs;
    if (only && !only.has(signal)) continue;
    samples.push({ signal, value, statusCode, sourceTimestampMs, serverTimestampMs, receivedTimestampMs });
  }
  return samples;
}

function kindOf(value: SampleValue): number {
  if (typeof value === "number") return numberKind(value);
  if (value === null) return Kind.Null;
  if (typeof value === "boolean") return value ? Kind.True : Kind.False;
  if (typeof value === "string") return Kind.String;
  return typeof value === "bigint" ? Kind.BigInt : Kind.Array;
}

function numberKind(value: number): number {
  if (Object.is(value, -0) || !Number.isFinite(value)) return Kind.Float64;
  for (const [kind, scale] of [
    [Kind.Int, 1],
    [Kind.Dec1, 10],
    [Kind.Dec2, 100],
    [Kind.Dec3, 1000],
  ] as const) {
    const scaled = Math.round(value * scale);
    if (Math.abs(scaled) >= INT_MAX) break;
    if (scaled / scale === value && !(scaled === 0 && Object.is(scaled, -0))) return kind;
  }
  return Math.fround(value) === value ? Kind.Float32 : Kind.Float64;
}

function writeValue(out: ByteWriter, kind: number, value: SampleValue): void {
  if (typeof value === "number") {
    if (kind === Kind.Float64) out.f64(value);
    else if (kind === Kind.Float32) out.f32(value);
    else out.zigzag(Math.round(value * (SCALE_BY_KIND[kind] ?? 1)));
  } else if (typeof value === "string") out.text(value);
  else if (typeof value === "bigint") out.text(value.toString());
  else if (typeof value === "object" && value !== null) {
    out.varint(value.length);
    for (const element of value) {
      const elementKind = kindOf(element);
      out.u8(elementKind);
      writeValue(out, elementKind, element);
    }
  }
}

function readValue(input: ByteReader, kind: number): SampleValue {
  if (kind !== Kind.Array) return readScalar(input, kind);
  const length = input.varint();
  if (length > input.left) throw new RangeError("array longer than the row");
  return Array.from({ length }, () => readScalar(input, input.u8()));
}

function readScalar(input: ByteReader, kind: number): ScalarValue {
  switch (kind) {
    case Kind.Null:
      return null;
    case Kind.Float64:
      return input.f64();
    case Kind.Float32:
      return input.f32();
    case Kind.Int:
      return input.zigzag();
    case Kind.Dec1:
    case Kind.Dec2:
    case Kind.Dec3:
      return input.zigzag() / (SCALE_BY_KIND[kind] ?? 1);
    case Kind.False:
      return false;
    case Kind.True:
      return true;
    case Kind.String:
      return input.text();
    case Kind.BigInt:
      return BigInt(input.text());
    default:
      throw new RangeError(`value kind ${kind}`);
  }
}

function timeKind(timeMs: number | null, baseMs: number): number {
  if (timeMs === null) return 0;
  const deltaMs = timeMs - baseMs;
  return Number.isInteger(deltaMs) && Math.abs(deltaMs) < DELTA_MS_MAX && baseMs + deltaMs === timeMs ? 1 : 2;
}

function writeTime(out: ByteWriter, kind: number, timeMs: number | null, baseMs: number): void {
  if (timeMs === null) return;
  if (kind === 1) out.zigzag(timeMs - baseMs);
  else if (kind === 2) out.f64(timeMs);
}

function readTime(input: ByteReader, kind: number, baseMs: number): number | null {
  if (kind === 0) return null;
  return kind === 1 ? baseMs + input.zigzag() : input.f64();
}
