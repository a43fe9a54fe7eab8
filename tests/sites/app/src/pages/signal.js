import flag from "./flag.svg?no-inline";
import "./signal.css";

export const render = (number) => `<h1>Signal ${number}</h1><img src="${flag}" alt=""><p>Release ${__RELEASE__}</p>`;
