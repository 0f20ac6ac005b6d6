"use strict";
(() => {
  const root = document.documentElement;
  const tip = document.getElementById("tip");
  const language = document.getElementById("language");
  const titles = { en: "Results", zh: "结果" };

  // Some browsers keep nothing for pages of the file system.
  const remembered = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const remember = (name, value) => { try { localStorage.setItem(name, value); } catch { /* goes on without */ } };

  function speak(to) {
    root.dataset.language = to;
    root.lang = to === "zh" ? "zh-Hans" : "en";
    document.title = titles[to];
    language.textContent = to === "zh" ? "English" : "中文";
    language.lang = to === "zh" ? "en" : "zh-Hans";
    for (const mark of document.querySelectorAll(".mark")) {
      mark.setAttribute("aria-label", mark.dataset[to]);
    }
    hide();
  }

  function show(mark, x, y) {
    tip.textContent = mark.dataset[root.dataset.language];
    tip.hidden = false;
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = `${Math.max(8, Math.min(x + 12, room)) + scrollX}px`;
    const above = y - tip.offsetHeight - 12;
    tip.style.top = `${(above < 4 ? y + 16 : above) + scrollY}px`;
  }
  function hide() { tip.hidden = true; }

  function reveal(id) {
    const target = id && document.getElementById(id);
    if (!target) return;
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    target.scrollIntoView({ block: "center" });
  }

  for (const mark of document.querySelectorAll(".mark")) {
    mark.addEventListener("pointermove", (event) => show(mark, event.clientX, event.clientY));
    mark.addEventListener("pointerleave", hide);
    mark.addEventListener("focus", () => {
      const box = mark.querySelector(".seen").getBoundingClientRect();
      show(mark, box.right, box.top);
    });
    mark.addEventListener("blur", hide);
    const go = () => { if (mark.dataset.run) { location.hash = mark.dataset.run; reveal(mark.dataset.run); } };
    mark.addEventListener("click", go);
    mark.addEventListener("keydown", (event) => { if (event.key === "Enter") go(); if (event.key === "Escape") hide(); });
  }

  function sort(heading) {
    const table = heading.closest("table");
    const column = [...heading.parentElement.children].indexOf(heading);
    // A number's first order is the greatest first, a text's its alphabet.
    const first = heading.classList.contains("number") ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = heading.getAttribute("aria-sort") === first ? other : first;
    for (const one of heading.parentElement.children) one.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", order);
    const numeric = heading.classList.contains("number");
    const sign = order === "ascending" ? 1 : -1;
    const key = (row) => row.children[column].dataset.key;
    const rows = [...table.tBodies[0].rows].sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
      return sign * (numeric ? x - y : x.localeCompare(y, undefined, { numeric: true }));
    });
    table.tBodies[0].append(...rows);
  }
  for (const button of document.querySelectorAll("th button")) {
    button.addEventListener("click", () => sort(button.parentElement));
  }

  language.addEventListener("click", () => {
    speak(root.dataset.language === "zh" ? "en" : "zh");
  });
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    remember("lit_effnet-theme", root.dataset.theme);
  });

  addEventListener("hashchange", () => reveal(location.hash.slice(1)));
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const one of closed) one.open = true;
  });
  addEventListener("afterprint", () => { for (const one of closed) one.open = false; });

  const theme = remembered("lit_effnet-theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  speak(root.dataset.language);
  reveal(location.hash.slice(1));
})();
