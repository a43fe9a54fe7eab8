export const render = () => `<h1>About</h1><p>Release ${__RELEASE__}</p>`;
