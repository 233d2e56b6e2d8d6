import type { Order } from "../paging/page.ts";

export type TimeOrder = "newest" | "oldest";

/** By a time, then by what makes a row of a machine unique. */
export function timeOrder(order: TimeOrder, time: string, id: string): Order {
  return {
    keys: [
      { sql: time, type: "timestamptz" },
      { sql: "machine_id", type: "text" },
      { sql: id, type: "text" },
    ],
    direction: order === "newest" ? "DESC" : "ASC",
  };
}
