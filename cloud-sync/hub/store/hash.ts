/** FNV-1a over the text's UTF-16 units, unsigned: the same in every version, for partitions hang on it. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  // The low bits alone decide the partition: fold the better ones in.
  return (hash ^ (hash >>> 15)) >>> 0;
}
