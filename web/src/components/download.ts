// By then the browser has begun to read it.
const READ_BY_THEN_MS = 60_000;

/** Offers something that the page holds as a file of this name. */
export function download(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), READ_BY_THEN_MS);
}
