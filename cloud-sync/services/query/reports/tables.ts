import { csvOf } from "./csv.ts";
import type { ClassReport, ElectricityReport, Statistics } from "./schema.ts";

const statistics = ({ count, mean, sd, minimum, maximum }: Statistics) => [count, mean, sd, minimum, maximum];
const statisticsHeader = (of: string) => ["count", "mean", "sd", "minimum", "maximum"].map((name) => `${of}_${name}`);

export function electricityTable({ by, groups, total }: ElectricityReport): string {
  return csvOf(
    [by, ...statisticsHeader("all"), ...statisticsHeader("anomalous"), "recorded_count", "recorded_mean"],
    [
      ...groups.map(({ group, all, anomalous, recorded }) => [
        group,
        ...statistics(all),
        ...statistics(anomalous),
        recorded.count,
        recorded.mean,
      ]),
      ["total", ...statistics(total.all), ...statistics(total.anomalous), null, null],
    ],
  );
}

export function distributionTable({ bins }: ElectricityReport): string {
  return csvOf(
    ["from", "to", "all", "anomalous"],
    bins.map(({ from, to, all, anomalous }) => [from, to, all, anomalous]),
  );
}

export function classesTable({ x, y, classes }: ClassReport): string {
  return csvOf(
    [
      "requirement",
      "count",
      "outside_training",
      `${x.signal}_mean`,
      `${x.signal}_sd`,
      `${y.signal}_mean`,
      `${y.signal}_sd`,
    ],
    classes.map((each) => [each.requirement, each.count, each.outside, each.x.mean, each.x.sd, each.y.mean, each.y.sd]),
  );
}

export function pointsTable({ x, y, classes }: ClassReport): string {
  return csvOf(
    ["requirement", x.signal, y.signal],
    classes.flatMap(({ requirement, points }) => points.map(([px, py]) => [requirement, px, py])),
  );
}
