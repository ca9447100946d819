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
  const FIELDS = { title: 5, terms: 4, page: 1.5, text: 1, code: 0.6 };
  const MINOR = { Exercises: 0.5, "Further reading": 0.3, Summary: 0.8 };

  /* A word without its ending, so that a smoothed loss is found by "smoothing losses". */
  function stem(word) {
    const once = (w) => w.replace(/ies$/, "y").replace(/(?<=\w{3})(?:ing|ed|es|e|(?<!s)s)$/, "");
    return once(once(word));
  }

  /* The words and numbers of a text; a name in code counts whole and by its parts. */
  function words(text) {
    const found = [];
    const pattern = /\d+(?:\.\d+)?(?:e[-+]?\d+)?(?!\w)|[\p{L}_][\p{L}\d_]*(?:\.[\p{L}_][\p{L}\d_]*)*/gu;
    const plain = text
      .replaceAll("−", "-")
      .replace(/(?<=\d),(?=\d{3})/g, "")
      .replace(/log-sum-exp/gi, "logsumexp");
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
    // In how many sections a word is. Every call has an axis, and every function of the package says
    // so: neither code nor what is worth little makes a word common, if there is more than that.
    const having = new Map();
    for (const told of [false, true]) {
      const these = new Map();
      for (const { fields } of told ? sections.filter((s) => s.worth > 0.4) : sections)
        for (const word of new Set(
          fields.flatMap((f) => (told && f.field === "code" ? [] : [...f.counts.keys()])),
        ))
          these.set(word, (these.get(word) ?? 0) + 1);
      for (const [word, count] of these) having.set(word, count);
    }
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
      if (score) hits.push({ section, score: score * share ** 1.5 * (1 + named * whole) * section.worth });
    }
    hits.sort((a, b) => b.score - a.score);
    const least = (hits[0]?.score ?? 0) / 8;
    const asks = known.map(({ forms, weight }) => ({ forms: new Set(forms.map(([w]) => w)), weight }));
    return { hits: hits.filter(({ score }) => score > least).slice(0, 40), asks };
  }

  /* The two sentences with most of what was asked, or as much of them as there is room for. */
  function quote(text, asks, room = 240) {
    const sentences = text.split(/(?<=[.?!:]) /);
    const worth = sentences.map((_, i) => {
      const these = new Set(words(sentences.slice(i, i + 2).join(" ")));
      return asks.reduce(
        (sum, { forms, weight }) => sum + ([...forms].some((w) => these.has(w)) ? weight : 0),
        0,
      );
    });
    const found = sentences.slice(worth.indexOf(Math.max(...worth))).join(" ");
    return found.length <= room ? found : `${found.slice(0, found.lastIndexOf(" ", room))} …`;
  }

  /* Whether a word is one of those that were asked for. */
  function isAsked(word, asks) {
    return words(word).some((w) => asks.some(({ forms }) => forms.has(w)));
  }

  return { index, find, quote, isAsked };
})();

document.addEventListener("DOMContentLoaded", () => {
  const query = new URLSearchParams(location.search).get("q")?.trim() ?? "";
  const results = document.getElementById("search-results");
  const field = document.querySelector("article input[name=q], main input[name=q]");
  field.value = query;
  field.focus();
  if (!query) return;

  const { hits, asks } = Finder.find(query, Finder.index(SECTIONS));

  function add(parent, tag, text, className) {
    const element = parent.appendChild(document.createElement(tag));
    if (text) element.textContent = text;
    if (className) element.className = className;
    return element;
  }

  function addMarked(parent, text) {
    for (const piece of text.split(/([\p{L}\d_]+(?:\.[\p{L}\d_]+)*)/u)) {
      if (Finder.isAsked(piece, asks)) add(parent, "mark", piece);
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
  const list = add(results, "ul", "", "hits");
  for (const { section } of hits) {
    const item = add(list, "li");
    const link = add(item, "a", section.title);
    link.href = section.address;
    if (section.title !== section.page) add(item, "span", section.page);
    const text = Finder.quote(section.text, asks);
    if (text) addMarked(add(item, "p", "", "context"), text);
  }
});
