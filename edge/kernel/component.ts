/**
 * A part of the runtime with a life of its own. Constructors do nothing; `run` acquires what it needs, works until the
 * signal aborts and releases everything before it resolves. It rejects when it can't go on: the supervisor restarts it.
 */
export interface Component {
  readonly name: string;
  run(signal: AbortSignal, ready: () => void): Promise<void>;
}
