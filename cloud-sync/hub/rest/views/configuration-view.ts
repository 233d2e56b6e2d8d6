import type { JsonMap } from "../../ports.ts";
import { parseQuery } from "../../query/parser.ts";
import { PAGE_ITEMS_MAX, runQuery } from "../../query/run-query.ts";
import type { Configurator } from "../../services/configurator.ts";
import type { Documents } from "../../services/documents.ts";
import { timeText } from "../../services/time-text.ts";
import type { StoredConfiguration } from "../../store/configuration-store.ts";

/** A configuration as the REST API shows it, with its metrics as they are now. */
export async function configurationView(
  configuration: StoredConfiguration,
  { configurator, documents }: { readonly configurator: Configurator; readonly documents: Documents },
): Promise<JsonMap> {
  const { id, etag, content, targetCondition, priority, labels, schemaVersion, metricQueries } = configuration;
  const { targeted, applied } = configurator.countsOf(id);
  const results: (readonly [string, number])[] = [];
  for (const [name, query] of Object.entries(metricQueries)) results.push([name, await rowsOf(query, documents)]);
  return {
    id,
    schemaVersion,
    labels,
    content,
    targetCondition,
    priority,
    createdTimeUtc: timeText(configuration.createdMs),
    lastUpdatedTimeUtc: timeText(configuration.updatedMs),
    systemMetrics: {
      results: { targetedCount: targeted, appliedCount: applied },
      queries: {
        targetedCount: `SELECT deviceId FROM devices WHERE IS_DEFINED(configurations.[[${id}]])`,
        appliedCount: `SELECT deviceId FROM devices WHERE configurations.[[${id}]].status = 'Applied'`,
      },
    },
    metrics: { results: Object.fromEntries(results), queries: { ...metricQueries } },
    etag,
  };
}

/** A metric's number is how many rows its query has. */
async function rowsOf(text: string, documents: Documents): Promise<number> {
  const query = parseQuery(text);
  let count = 0;
  let continuation: string | undefined;
  do {
    const page = await runQuery(query, documents.of(query.source), PAGE_ITEMS_MAX, continuation);
    count += page.items.length;
    continuation = page.continuation;
  } while (continuation !== undefined);
  return count;
}
