// Answers that wait, in the browser's IndexedDB, so that they outlive a reload, a crash and a train ride. Where the browser
// refuses (private windows, a full disk), every call says so by its result, and the outbox keeps them in memory.

const NAME = "al-loop";
const STORE = "outbox";

let opening = null;

function open() {
  opening ??= new Promise((resolve, reject) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE, { keyPath: "key" }).createIndex("scope", "scope");
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
    asked.onblocked = () => reject(new Error("another tab holds an older version"));
  });
  return opening;
}

function finished(transaction, request) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

async function run(mode, work) {
  const database = await open();
  const transaction = database.transaction(STORE, mode);
  return finished(transaction, work(transaction.objectStore(STORE)));
}

/** The waiting answers of a scope (service, campaign, annotator), oldest first. */
export async function load(scope) {
  const entries = await run("readonly", (store) => store.index("scope").getAll(scope));
  return entries.sort((one, other) => one.made - other.made);
}

/** Keep an entry, or its newer form. */
export const keep = (entry) => run("readwrite", (store) => store.put(entry));

/** Forget an entry. */
export const forget = (key) => run("readwrite", (store) => store.delete(key));

/** Whether an entry still waits: another tab of the same person may have sent it. */
export const has = async (key) => (await run("readonly", (store) => store.count(key))) > 0;
