import { stateWord } from "../words.ts";

/** Grey for what is ordinary, the darker the more it works; colour for what is not. */
const ORDER = ["fault", "disconnected", "offline", "running", "setup", "idle", "unknown"];
const WIDTH = 1_000;
/** One machine of hundreds must still be seen. */
const LEAST = 8;

/** Machines by state as one bar. */
export function StateBar({ byState, total }: { byState: Readonly<Record<string, number>>; total: number }) {
  const states = [...ORDER, ...Object.keys(byState).filter((state) => !ORDER.includes(state))].filter(
    (state) => (byState[state] ?? 0) > 0,
  );
  const raw = states.map((state) => Math.max(LEAST, ((byState[state] ?? 0) / Math.max(1, total)) * WIDTH));
  const scale =
    WIDTH /
    Math.max(
      1,
      raw.reduce((sum, width) => sum + width, 0),
    );
  let left = 0;
  return (
    <svg
      class="state-bar"
      viewBox={`0 0 ${WIDTH} 20`}
      preserveAspectRatio="none"
      role="img"
      aria-label={states.map((state) => `${byState[state]} ${stateWord(state).toLowerCase()}`).join(", ")}
    >
      <rect class="bar-ground" x="0" y="0" width={WIDTH} height="20" />
      {states.map((state, index) => {
        const width = (raw[index] ?? 0) * scale;
        const x = left;
        left += width;
        return <rect key={state} class={`bar-${state}`} x={x} y="0" width={Math.max(0, width - 2)} height="20" />;
      })}
    </svg>
  );
}
