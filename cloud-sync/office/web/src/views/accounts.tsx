import { useState } from "preact/hooks";
import { ask, sentenceOf } from "../data/api.ts";
import { ROLES, type Role, type Session } from "../data/session.ts";
import { useData } from "../data/use-data.ts";
import { Dialog } from "../parts/dialog.tsx";
import { Problem } from "../parts/problem.tsx";
import { Tokens } from "../parts/tokens.tsx";
import { capital, formatMoment } from "../words.ts";

interface Account {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly disabled: boolean;
  readonly createdAt: string;
  readonly changedAt: string;
  readonly changedBy: string;
}

/** Who may use the office; for administrators. */
export function Accounts({ session }: { session: Session }) {
  const { data, error, reload } = useData<{ accounts: readonly Account[] }>(
    session.isAtLeast("administrator") ? "/api/accounts" : null,
  );
  const [told, setTold] = useState<{ name: string; password: string } | null>(null);
  const [problem, setProblem] = useState("");
  const [confirming, setConfirming] = useState<Account | null>(null);
  if (!session.isAtLeast("administrator")) return <p class="empty">Accounts are for administrators.</p>;
  const run = async (work: () => Promise<unknown>): Promise<void> => {
    setProblem("");
    try {
      await work();
    } catch (failure) {
      setProblem(sentenceOf(failure));
    }
    reload();
  };
  const change = (account: Account, body: object): Promise<void> =>
    run(() => ask("PATCH", `/api/accounts/${encodeURIComponent(account.id)}`, { body }));
  const add = (event: SubmitEvent): void => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const [name, role] = [String(new FormData(form).get("name")), String(new FormData(form).get("role"))];
    void run(async () => {
      const { body } = await ask<{ account: Account; password: string }>("POST", "/api/accounts", {
        body: { name, role },
      });
      setTold({ name: body.account.name, password: body.password });
      form.reset();
    });
  };
  const newPassword = (account: Account): void => {
    const password = Array.from(crypto.getRandomValues(new Uint8Array(15)), (byte) => ALPHABET[byte % 32]).join("");
    void run(async () => {
      await ask("PATCH", `/api/accounts/${encodeURIComponent(account.id)}`, { body: { password } });
      setTold({ name: account.name, password });
    });
  };
  return (
    <section>
      <div class="view-head">
        <h1>Accounts</h1>
      </div>
      {error !== undefined && <Problem error={error} />}
      {problem !== "" && (
        <p class="notice alarm" role="alert">
          {problem}
        </p>
      )}
      <form class="filters" onSubmit={add}>
        <input
          type="text"
          name="name"
          aria-label="Name of the new account"
          placeholder="Name"
          required
          maxLength={200}
        />
        <select name="role" aria-label="Role of the new account">
          {ROLES.map((role) => (
            <option key={role} value={role}>
              {capital(role)}
            </option>
          ))}
        </select>
        <button type="submit" class="primary">
          Add account
        </button>
      </form>
      <div class="sheet">
        <table class="list accounts">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col" class="w-role">
                Role
              </th>
              <th scope="col" class="w-kind">
                May log in
              </th>
              <th scope="col" class="w-changed">
                Changed
              </th>
              <th scope="col" class="w-buttons">
                <span class="hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {(data?.accounts ?? []).map((account) => (
              <tr key={account.id}>
                <th scope="row">{account.name}</th>
                <td>
                  <select
                    aria-label={`Role of ${account.name}`}
                    value={account.role}
                    onChange={(event) => void change(account, { role: event.currentTarget.value })}
                  >
                    {ROLES.map((role) => (
                      <option key={role} value={role}>
                        {capital(role)}
                      </option>
                    ))}
                  </select>
                </td>
                <td>
                  <label class="switch">
                    <input
                      type="checkbox"
                      checked={!account.disabled}
                      aria-label={`${account.name} may log in`}
                      onChange={() => void change(account, { disabled: !account.disabled })}
                    />
                  </label>
                </td>
                <td class="muted">
                  {formatMoment(Date.parse(account.changedAt))}
                  <small class="below">{account.changedBy}</small>
                </td>
                <td class="number">
                  <button type="button" class="plain" onClick={() => newPassword(account)}>
                    New password
                  </button>{" "}
                  <button type="button" class="plain danger" onClick={() => setConfirming(account)}>
                    Delete …
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <Tokens />
      {told !== null && (
        <Dialog title={`Password of ${told.name}`} onClose={() => setTold(null)}>
          <p>It is shown this once: give it to {told.name}, who changes it after logging in.</p>
          <p class="told-once notice">{told.password}</p>
        </Dialog>
      )}
      {confirming !== null && (
        <Dialog title={`Delete ${confirming.name}?`} onClose={() => setConfirming(null)}>
          <p>Sessions end at once. Events keep the name of their author.</p>
          <div class="actions">
            <button
              type="button"
              class="plain danger"
              onClick={() => {
                const { id } = confirming;
                setConfirming(null);
                void run(() => ask("DELETE", `/api/accounts/${encodeURIComponent(id)}`));
              }}
            >
              Yes, delete
            </button>
            <button type="button" class="plain" onClick={() => setConfirming(null)}>
              No
            </button>
          </div>
        </Dialog>
      )}
    </section>
  );
}

/** Signs that nobody mistakes for another. */
const ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789";
