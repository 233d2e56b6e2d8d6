/** Wide World Importers' five factories, and when a stamping press needs what maintenance. */
export const WWI_FACTORIES = [
  {
    id: "redmond",
    name: "Redmond",
    city: "Redmond, United States",
    latitude: 47.674,
    longitude: -122.1215,
    since: "2004-03-01",
  },
  {
    id: "dortmund",
    name: "Dortmund",
    city: "Dortmund, Germany",
    latitude: 51.5136,
    longitude: 7.4653,
    since: "2007-09-03",
  },
  { id: "suzhou", name: "Suzhou", city: "Suzhou, China", latitude: 31.2989, longitude: 120.5853, since: "2011-05-16" },
  { id: "pune", name: "Pune", city: "Pune, India", latitude: 18.5204, longitude: 73.8567, since: "2014-01-20" },
  {
    id: "queretaro",
    name: "Querétaro",
    city: "Querétaro, Mexico",
    latitude: 20.5888,
    longitude: -100.3899,
    since: "2016-08-08",
  },
] as const;

const PRESSURE_LOW = 7475;
const PRESSURE_HIGH = 7600;
const TEMPERATURE_COOL = 50;
const TEMPERATURE_HOT = 70;

const pressure = (limits: object) => ({ signal: "machinePressure", unit: "psi", ...limits });
const temperature = (limits: object) => ({ signal: "machineTemperature", unit: "°C", ...limits });
const low = pressure({ below: PRESSURE_LOW });
const high = pressure({ above: PRESSURE_HIGH });

/** Requirements in the words of the maintenance model's predictions. */
export const WWI_CRITERIA = [
  {
    id: "press-0-none",
    label: 0,
    requirement: "none",
    description: "Pressure within its range, whatever the temperature.",
    action: "Nothing is to be done.",
    thresholds: [pressure({ atLeast: PRESSURE_LOW, atMost: PRESSURE_HIGH })],
  },
  {
    id: "press-1-tighten-adjustment-harness",
    label: 1,
    requirement: "tighten the adjustment harness",
    description: "Pressure too low, machine not hot.",
    action: "Tighten the adjustment harness.",
    thresholds: [low, temperature({ below: TEMPERATURE_HOT })],
  },
  {
    id: "press-2-loosen-adjustment-harness",
    label: 2,
    requirement: "loosen the adjustment harness",
    description: "Pressure too high, machine at its usual temperature.",
    action: "Loosen the adjustment harness.",
    thresholds: [high, temperature({ atLeast: TEMPERATURE_COOL, below: TEMPERATURE_HOT })],
  },
  {
    id: "press-3-tighten-restrictor-plate",
    label: 3,
    requirement: "tighten the restrictor plate",
    description: "Pressure too high, machine cool.",
    action: "Tighten the restrictor plate.",
    thresholds: [high, temperature({ below: TEMPERATURE_COOL })],
  },
  {
    id: "press-4-loosen-restrictor-plate",
    label: 4,
    requirement: "loosen the restrictor plate",
    description: "Pressure too low, machine hot.",
    action: "Loosen the restrictor plate.",
    thresholds: [low, temperature({ atLeast: TEMPERATURE_HOT })],
  },
  {
    id: "press-5-replace-fabrication-screws",
    label: 5,
    requirement: "replace the fabrication screws",
    description: "Pressure too high, machine hot.",
    action: "Replace the fabrication screws.",
    thresholds: [high, temperature({ atLeast: TEMPERATURE_HOT })],
  },
] as const;
