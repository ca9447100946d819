"use strict";

/* Rank the sections of the book by BM25, a word in a title counting more than one in a text, and
   quote from each the place where the words are. SECTIONS comes from sections.py. */
const Finder = (() => {
  const STOP = new Set(
    `a an and are as at be but by can do does for from get gets has have how i if in into is it its me
    my not of on only or over so than that the their then there this to was what when where which
    while who why will with you your`.split(/\s+/),
  );
  const SAME = { fp16: "float16", fp32: "float32", fp64: "float64", bf16: "bfloat16", fp8: "e4m3" };
  const FIELDS = { title: 5, terms: 4, page: 1.5, text: 1, code: 0.4 };
  const MINOR = { Exercises: 0.5, "Further reading": 0.3, Summary: 0.8 };

  /* A word without its ending, so that a smoothed loss is found by "smoothing losses". */
  function stem(word) {
    return word.replace(/ies$/, "y").replace(/(?<=\w{3})(?:ing|ed|es|e|(?<!s)s)$/, "");
  }

  /* The words and numbers of a text; a name in code counts whole and by its parts. */
  function words(text) {
    const found = [];
    const pattern = /\d+(?:\.\d+)?(?:e[-+]?\d+)?(?!\w)|[\p{L}_][\p{L}\d_]*(?:\.[\p{L}_][\p{L}\d_]*)*/gu;
    const plain = text.replaceAll("−", "-").replace(/(?<=\d),(?=\d{3})/g, "");
    for (const [name] of plain.matchAll(pattern)) {
      const parts = name.split(/[._]|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/).filter(Boolean);
      const all = /^\d/.test(name) ? [name] : new Set([name, ...parts]);
      for (const word of all) {
        const lower = word.toLowerCase();
        if (!STOP.has(lower)) found.push(stem(SAME[lower] ?? lower));
      }
    }
    return found;
  }

  function counts(list) {
    const found = new Map();
    for (const word of list) found.set(word, (found.get(word) ?? 0) + 1);
    return found;
  }

  /* Every section with its words, made once. */
  function index(pages) {
    const sections = pages.flatMap(([address, page, worth, parts]) =>
      parts.map(([at, title, terms, text, code], number) => ({
        address: number ? `${address}#${at}` : address,
        page,
        title: number ? title : page,
        text,
        heading: new Set(words(number ? title : page)),
        worth: worth * (MINOR[title] ?? 1),
        fields: Object.entries({ title, terms, page, text, code }).map(([field, value]) => {
          const list = words(value);
          return { weight: FIELDS[field], field, size: list.length, counts: counts(list) };
        }),
      })),
    );
    const sizes = {};
    for (const { fields } of sections)
      for (const { field, size } of fields) sizes[field] = (sizes[field] ?? 0) + size;
    for (const section of sections) {
      section.counts = new Map();
      for (const { weight, field, size, counts } of section.fields) {
        const long = 0.4 + (0.6 * size * sections.length) / (sizes[field] || 1);
        for (const [word, count] of counts)
          section.counts.set(word, (section.counts.get(word) ?? 0) + (weight * count) / long);
      }
    }
    const having = new Map();
    for (const { counts } of sections)
      for (const word of counts.keys()) having.set(word, (having.get(word) ?? 0) + 1);
    return { sections, having, vocabulary: [...having.keys()] };
  }

  /* A word of the query, and the longer ones that begin with it, which count half. */
  function alike(word, { having, vocabulary }) {
    const longer = word.length > 3 ? vocabulary.filter((w) => w !== word && w.startsWith(word)) : [];
    return [...(having.has(word) ? [[word, 1]] : []), ...longer.map((w) => [w, 0.5])];
  }

  /* The sections that have words of the query, the best first; equals stay in reading order. */
  function find(query, book) {
    const { sections, having } = book;
    const asked = [...new Set(words(query))].map((word) => {
      const forms = alike(word, book);
      const rare = Math.min(...forms.map(([w]) => having.get(w)), sections.length);
      return { forms, weight: Math.log(1 + (sections.length - rare + 0.5) / (rare + 0.5)) };
    });
    const known = asked.filter(({ forms }) => forms.length);
    const most = known.reduce((sum, { weight }) => sum + weight, 0);
    const hits = [];
    for (const section of sections) {
      let score = 0;
      let share = 0;
      let named = 0;
      for (const { forms, weight } of known) {
        const times = forms.reduce((sum, [w, part]) => sum + part * (section.counts.get(w) ?? 0), 0);
        if (times) {
          score += (weight * 2.2 * times) / (times + 1.2);
          share += weight / most;
          if (forms.some(([w]) => section.heading.has(w))) named += weight / most;
        }
      }
      const whole = known.length / Math.max(known.length, section.heading.size);
      if (score) hits.push({ section, score: score * share * (1 + named * whole) * section.worth });
    }
    hits.sort((a, b) => b.score - a.score);
    const least = (hits[0]?.score ?? 0) / 8;
    const terms = known.flatMap(({ forms }) => forms.map(([w]) => w));
    return { hits: hits.filter(({ score }) => score > least).slice(0, 40), terms: new Set(terms) };
  }

  /* The two sentences or so with the most words of the query. */
  function quote(text, terms, size = 240) {
    const sentences = text.match(/[^.?!]+(?:[.?!]+(?=\s|$)|[.?!](?=\S)|$)/g) ?? [];
    const joined = [];
    for (const sentence of sentences) {
      if (joined.length && !/[.?!]\s*$/.test(joined.at(-1))) joined[joined.length - 1] += sentence;
      else joined.push(sentence);
    }
    const score = joined.map((s) => new Set(words(s).filter((w) => terms.has(w))).size);
    let start = 0;
    for (let i = 1; i < joined.length; i++)
      if (score[i] + (score[i + 1] ?? 0) / 2 > score[start] + (score[start + 1] ?? 0) / 2) start = i;
    const found = joined.slice(start).join("").trim();
    if (found.length <= size) return found;
    return `${found.slice(0, found.lastIndexOf(" ", size))} …`;
  }

  return { index, find, quote, words };
})();

document.addEventListener("DOMContentLoaded", () => {
  const query = new URLSearchParams(location.search).get("q")?.trim() ?? "";
  const results = document.getElementById("search-results");
  const field = document.querySelector("article input[name=q], main input[name=q]");
  field.value = query;
  field.focus();
  if (!query) return;

  const { hits, terms } = Finder.find(query, Finder.index(SECTIONS));

  function add(parent, tag, text, className) {
    const element = parent.appendChild(document.createElement(tag));
    if (text) element.textContent = text;
    if (className) element.className = className;
    return element;
  }

  /* The words of the query are bold; they are marked by their beginnings, as they are compared. */
  function addMarked(parent, text) {
    for (const piece of text.split(/([\p{L}\d_.]+)/u)) {
      if (Finder.words(piece).some((word) => terms.has(word))) add(parent, "mark", piece);
      else parent.append(piece);
    }
  }

  add(results, "h2", "Search results");
  add(
    results,
    "p",
    hits.length
      ? `${hits.length === 1 ? "One place" : `${hits.length} places`} in the book, the best first.`
      : "The search did not match any documents. Try another word, or fewer.",
    "search-summary",
  );
  const list = add(results, "ul", "", "search");
  for (const { section } of hits) {
    const item = add(list, "li");
    const link = add(item, "a", section.title);
    link.href = section.address;
    if (section.title !== section.page) add(item, "span", ` ${section.page}`, "search-page");
    const text = Finder.quote(section.text, terms);
    if (text) addMarked(add(item, "p", "", "context"), text);
  }
});
