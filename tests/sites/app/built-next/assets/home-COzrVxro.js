const e=()=>"<h1>Signals</h1><p>Release 2</p>";export{e as render};
