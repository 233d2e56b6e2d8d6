import type { AnomalyData } from "../../cloud-sync/contract/insight.ts";
import type { DetectorModels } from "./detector-manifest.ts";
import type { Finding } from "./machine-detectors.ts";

/** How a signal is called before people. */
export interface SignalLabel {
  readonly title: string;
  readonly unit: string;
}

/** What a finding is as data of an anomaly event, with a sentence for people. */
export function anomalyDataOf(finding: Finding, label: SignalLabel, models: DetectorModels): AnomalyData {
  const { kind, signal, value, score, threshold, low, high } = finding;
  const { name, version } = kind === "changepoint" ? models.changepoint : models.spikeDip;
  return {
    kind,
    signal,
    value,
    score: Number(score.toFixed(2)),
    threshold,
    expected: { low: significant(low), high: significant(high) },
    message: messageOf(finding, label),
    model: { name, version },
  };
}

/** A label out of a name in camelCase, for signals of which nothing is known but the name. */
export function labelOf(signal: string): SignalLabel {
  const words = signal.replaceAll(/([a-z])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`);
  return { title: words, unit: "" };
}

function messageOf({ kind, value, low, high, before }: Finding, { title, unit }: SignalLabel): string {
  const said = (number: number): string => spoken(number, high - low);
  const withUnit = (text: string): string => (unit === "" ? text : `${text} ${unit}`);
  const name = title.charAt(0).toLowerCase() + title.slice(1);
  const expected = `expected ${withUnit(`${said(low)}–${said(high)}`)}`;
  if (kind === "changepoint")
    return `${name} went from ${said(before ?? 0)} to a level of ${withUnit(said(value))}, ${expected}`;
  return `${name} ${withUnit(said(value))}, ${expected}`;
}

/** With as many decimals as tell the expected range apart. */
function spoken(value: number, range: number): string {
  const decimals = range > 0 ? Math.min(6, Math.max(0, 2 - Math.ceil(Math.log10(range)))) : 1;
  const text = Math.abs(value) >= 1e15 ? String(value) : value.toFixed(decimals);
  return /^-0(?:\.0*)?$/.test(text) ? text.slice(1) : text;
}

function significant(value: number): number {
  return Number(value.toPrecision(6));
}
