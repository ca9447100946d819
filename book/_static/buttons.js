/* The buttons of the cells. Nothing is loaded before the first click, or before a reader comes back
   to a page on which there is a text of theirs. */
const session = () => import("../run/session.js");

document.addEventListener("click", async ({ target }) => {
  const button = target.closest?.("[data-run]");
  if (button) (await session()).act(button);
});

try {
  if (localStorage.getItem(`stable-softmax ${location.pathname}`)) session();
} catch {
  // a browser may forbid to look
}
