import type { Field } from "../data/kinds.ts";
import { FactoryChoice } from "./factory-choice.tsx";
import { type Threshold, Thresholds } from "./thresholds.tsx";

interface FieldInputProps {
  readonly field: Field;
  readonly value: unknown;
  /** Empty: none. */
  readonly problem: string;
  readonly isLocked: boolean;
  readonly onChange: (value: unknown) => void;
}

/** One field with what is wrong about it right below. Empty is null. */
export function FieldInput({ field, value, problem, isLocked, onChange }: FieldInputProps) {
  const id = `field-${field.path.replaceAll(".", "-")}`;
  const described = problem !== "" ? `${id}-problem` : field.help === undefined ? undefined : `${id}-help`;
  const shared = {
    id,
    disabled: isLocked,
    required: field.required === true,
    "aria-invalid": problem !== "",
    "aria-describedby": described,
  };
  const text = typeof value === "string" ? value : value === null || value === undefined ? "" : String(value);
  const take = (event: { currentTarget: { value: string } }): void =>
    onChange(event.currentTarget.value === "" ? null : event.currentTarget.value);
  return (
    <div class={problem === "" ? "field" : "field wrong"}>
      <label for={id}>
        {field.label}
        {field.required !== true && <small> optional</small>}
      </label>
      {field.type === "line" && <input {...shared} type="text" maxLength={field.length} value={text} onInput={take} />}
      {field.type === "lines" && <textarea {...shared} rows={3} maxLength={field.length} value={text} onInput={take} />}
      {field.type === "number" && (
        <input
          {...shared}
          type="number"
          step="any"
          value={text}
          onInput={(event) => onChange(event.currentTarget.value === "" ? null : event.currentTarget.valueAsNumber)}
        />
      )}
      {field.type === "day" && <input {...shared} type="date" value={text} onInput={take} />}
      {field.type === "factory" && (
        <FactoryChoice {...shared} value={text} onChange={(each) => onChange(each || null)} />
      )}
      {field.type === "choice" && (
        <select {...shared} value={text} onChange={take}>
          {field.choices?.map(([each, title]) => (
            <option key={each} value={each}>
              {title}
            </option>
          ))}
        </select>
      )}
      {field.type === "json" && <JsonInput {...shared} value={value} onChange={onChange} />}
      {field.type === "thresholds" && (
        <Thresholds
          id={id}
          isLocked={isLocked}
          value={(Array.isArray(value) ? value : []) as readonly Threshold[]}
          onChange={onChange}
        />
      )}
      {problem !== "" ? (
        <p id={`${id}-problem`} class="wrong-word" role="alert">
          {problem}
        </p>
      ) : (
        field.help !== undefined && (
          <p id={`${id}-help`} class="help">
            {field.help}
          </p>
        )
      )}
    </div>
  );
}

/** Text that is no JSON yet is kept as text; the form refuses it. */
function JsonInput({
  value,
  onChange,
  ...shared
}: {
  value: unknown;
  onChange: (value: unknown) => void;
  id: string;
  disabled: boolean;
}) {
  const text =
    typeof value === "string" ? value : value === null || value === undefined ? "" : JSON.stringify(value, null, 1);
  return (
    <textarea
      {...shared}
      rows={2}
      class="code"
      spellcheck={false}
      value={text}
      onChange={(event) => {
        const given = event.currentTarget.value.trim();
        if (given === "") return onChange(null);
        try {
          onChange(JSON.parse(given));
        } catch {
          onChange(given);
        }
      }}
    />
  );
}
