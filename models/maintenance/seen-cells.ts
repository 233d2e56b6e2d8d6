import type { ClassifierInput } from "./classifier-manifest.ts";

/** The grid over the inputs in which training rows were counted. */
export type CellGrid = readonly Pick<ClassifierInput, "cellFrom" | "cellSize" | "cells">[];

/** Index of the cell that a row lies in; undefined outside the grid. */
export function cellOf(grid: CellGrid, values: ArrayLike<number>, at = 0): number | undefined {
  let cell = 0;
  for (let i = 0; i < grid.length; i++) {
    const { cellFrom, cellSize, cells } = grid[i] as CellGrid[number];
    const along = Math.floor(((values[at + i] as number) - cellFrom) / cellSize);
    if (!(along >= 0 && along < cells)) return undefined;
    cell = cell * cells + along;
  }
  return cell;
}

/** Training rows in each cell, the last input's cells beside each other. */
export function countCells(grid: CellGrid, values: Float64Array): number[] {
  const counts = new Array<number>(grid.reduce((product, { cells }) => product * cells, 1)).fill(0);
  for (let at = 0; at < values.length; at += grid.length) {
    const cell = cellOf(grid, values, at);
    if (cell !== undefined) counts[cell] = (counts[cell] as number) + 1;
  }
  return counts;
}
