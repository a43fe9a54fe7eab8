const e=()=>"<h1>About</h1><p>Release 2</p>";export{e as render};
