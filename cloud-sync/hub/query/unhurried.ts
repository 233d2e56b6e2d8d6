/** Items between two turns of the event loop: devices' messages are served in between, whatever a query goes through. */
const TURN_ITEMS = 100;

export async function* unhurried<T>(items: Iterable<T>): AsyncIterable<T> {
  let count = 0;
  for (const item of items) {
    if (++count % TURN_ITEMS === 0) await new Promise(setImmediate);
    yield item;
  }
}
