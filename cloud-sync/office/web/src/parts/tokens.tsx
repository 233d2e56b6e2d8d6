import { useState } from "preact/hooks";
import { ask, sentenceOf } from "../data/api.ts";
import { ROLES, type Role } from "../data/session.ts";
import { useData } from "../data/use-data.ts";
import { capital, DASH, formatMoment } from "../words.ts";
import { Dialog } from "./dialog.tsx";
import { FactoryFilter } from "./filters.tsx";

interface Token {
  readonly name: string;
  readonly role: Role;
  readonly factoryId: string | null;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly expiresAt: string | null;
  readonly lastUsedAt: string | null;
}

/** What programs show instead of a password: a factory's mirror, a report. */
export function Tokens() {
  const { data, reload } = useData<{ tokens: readonly Token[] }>("/api/tokens");
  const [factory, setFactory] = useState("");
  const [told, setTold] = useState<string | null>(null);
  const [problem, setProblem] = useState("");
  const run = async (work: () => Promise<unknown>): Promise<void> => {
    setProblem("");
    try {
      await work();
    } catch (failure) {
      setProblem(sentenceOf(failure));
    }
    reload();
  };
  const add = (event: SubmitEvent): void => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const given = new FormData(form);
    const body = {
      name: String(given.get("token-name")),
      role: String(given.get("token-role")),
      days: Number(given.get("days")),
      ...(factory === "" ? {} : { factoryId: factory }),
    };
    void run(async () => {
      const answer = await ask<{ token: string }>("POST", "/api/tokens", { body });
      setTold(answer.body.token);
      form.reset();
    });
  };
  return (
    <>
      <h2 class="of-tokens">Tokens of programs</h2>
      {problem !== "" && (
        <p class="notice alarm" role="alert">
          {problem}
        </p>
      )}
      <form class="filters" onSubmit={add}>
        <input
          type="text"
          name="token-name"
          aria-label="Name of the new token"
          placeholder="Name"
          required
          maxLength={200}
        />
        <select name="token-role" aria-label="Role of the new token">
          {ROLES.map((role) => (
            <option key={role} value={role}>
              {capital(role)}
            </option>
          ))}
        </select>
        <FactoryFilter value={factory} onChange={setFactory} />
        <label class="switch">
          Days
          <input type="number" name="days" min={1} max={3_650} defaultValue="365" required />
        </label>
        <button type="submit" class="plain">
          Add token
        </button>
      </form>
      <div class="sheet">
        <table class="list tokens">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col" class="w-role">
                Role
              </th>
              <th scope="col">Factory</th>
              <th scope="col" class="w-changed">
                Last used
              </th>
              <th scope="col" class="w-changed">
                Good until
              </th>
              <th scope="col" class="w-state">
                <span class="hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {(data?.tokens ?? []).map((token) => (
              <tr key={token.name}>
                <th scope="row">
                  {token.name}
                  <small>by {token.createdBy}</small>
                </th>
                <td>{capital(token.role)}</td>
                <td>{token.factoryId ?? "all"}</td>
                <td class="muted">
                  {token.lastUsedAt === null ? "never" : formatMoment(Date.parse(token.lastUsedAt))}
                </td>
                <td class="muted">{token.expiresAt === null ? DASH : formatMoment(Date.parse(token.expiresAt))}</td>
                <td class="number">
                  <button
                    type="button"
                    class="plain danger"
                    onClick={() => void run(() => ask("DELETE", `/api/tokens/${encodeURIComponent(token.name)}`))}
                  >
                    Revoke
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        {data?.tokens.length === 0 && <p class="empty">No program has a token.</p>}
      </div>
      {told !== null && (
        <Dialog title="The new token" onClose={() => setTold(null)}>
          <p>It is shown this once. A program sends it as: Authorization: Bearer …</p>
          <p class="told-once notice">{told}</p>
        </Dialog>
      )}
    </>
  );
}
